"""Signing: an authority's own certificate, and leaves by the table.

Pure: keys, serials and times are arguments. The signer decides every field; of a request only the public key is used.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hepto.errors import UserError
from hepto.pki.profiles import AUTHORITY_LIFETIME, BACKDATE, MINUTES, Authority, Profile, Subject, Usage

USAGES = {Usage.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH, Usage.SERVER: ExtendedKeyUsageOID.SERVER_AUTH}
MAX_SERIAL = 2**159
"""RFC 5280 section 4.1.2.2: positive and at most 20 octets."""


@dataclass(frozen=True)
class Issuer:
    """An authority's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def authority(which: Authority, cluster: str, key: ec.EllipticCurvePrivateKey, serial: int, now: datetime) -> Issuer:
    """A new authority. Only a node that makes a cluster calls this, once (trust.md section 5)."""
    name = _name(f"hepto {which.value} {cluster}"[:64], "")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), serial, now - BACKDATE, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issuer(certificate, key)


def leaf(
    profile: Profile,
    subject: Subject,
    key: ec.EllipticCurvePublicKey,
    issuer: Issuer,
    serial: int,
    now: datetime,
    longest: timedelta = AUTHORITY_LIFETIME,
) -> x509.Certificate:
    """A certificate of `profile` for `subject`.

    It is valid from an hour ago (never before its authority) for the profile's life, or `longest` if that is less
    (never less than 20 minutes, never longer than its authority).

    The caller has checked that the subject may have it; a role that may not hold the profile is a bug: AssertionError.
    Raises UserError when no part of that is within the authority's life.
    """
    assert profile.held_by(subject) or subject.master, f"{profile.name} for {subject.node}"
    after = min(now + max(min(profile.lifetime, longest), MINUTES), issuer.certificate.not_valid_after_utc)
    before = max(now - BACKDATE, issuer.certificate.not_valid_before_utc)
    if before >= after:
        # The day is enough: with the second in it, it would be news every second.
        what = f"the clock shows {now:%F}, which is outside of the life of this cluster's CA"
        raise UserError(what, "let NTP in, or set the machine's clock")
    builder = (
        _builder(subject_name(profile, subject), issuer.certificate.subject, key, serial, before, after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([USAGES[usage] for usage in profile.usages]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_authority_identifier(issuer.certificate), critical=False)
    )
    names = alternative_names(profile, subject)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def subject_name(profile: Profile, subject: Subject) -> x509.Name:
    """The distinguished name of the profile's certificate for this node."""
    return _name(profile.common_name.format(node=subject.node), profile.organisation)


def subject_of(certificate: x509.Certificate) -> x509.Name:
    """The distinguished name that a certificate has."""
    with long_names():
        return certificate.subject


def alternative_names(profile: Profile, subject: Subject) -> x509.SubjectAlternativeName | None:
    """The names of the profile's certificate for this node; None if it has none."""
    names = profile.names(subject)
    general: list[x509.GeneralName] = [x509.DNSName(name) for name in names.dns]
    general += [x509.IPAddress(address) for address in names.addresses]
    general += [x509.UniformResourceIdentifier(uri) for uri in names.uris]
    return x509.SubjectAlternativeName(general) if general else None


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    before: datetime,
    after: datetime,
) -> x509.CertificateBuilder:
    assert 0 < serial < MAX_SERIAL, "serial out of range"
    assert isinstance(key.curve, ec.SECP256R1), "P-256 only"
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(before)
        .not_valid_after(after)
    )


def _name(common_name: str, organisation: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    with long_names():
        return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)])


@contextmanager
def long_names() -> Iterator[None]:
    """For names of certificates.

    X.520 wants 64 characters at most; `system:node:` and a DNS label make up to 75, as Kubernetes defines it. Neither
    Go nor OpenSSL minds in reading; cryptography refuses, or warns if told not to validate. What else it warns of in a
    certificate (a negative serial number) is no concern of ours either.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
