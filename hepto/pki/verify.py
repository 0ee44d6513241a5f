"""Is a certificate what the table wants, and until when? Pure.

A certificate is renewed when it no longer says what its profile says for this node, when another key signed it, when
the clock is outside its life, or when half of its life is over, counted from its issue (not from the back-dated
NotBefore).
"""

import functools
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hepto.pki.issue import USAGES, alternative_names, subject_name, subject_of
from hepto.pki.profiles import BACKDATE, MINUTES, Profile, Subject

UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises for a stranger's certificate or request, at once or when a part of it is asked for: found by
changing every byte of good ones (KeyError: 13 for a string of an unknown type in a name)."""


class Flaw(Enum):
    """Why a certificate is replaced."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    KEY = "another key"
    ISSUER = "signed by another authority"
    SUBJECT = "another subject"
    NAMES = "other names"
    USAGES = "other usages"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    HALF_LIFE = "half of its life is over"
    ORDERED = "another one was ordered"


@dataclass(frozen=True)
class Due:
    """A certificate to issue, and why."""

    profile: Profile
    flaw: Flaw


def flaw(
    certificate: x509.Certificate, profile: Profile, subject: Subject, authority: x509.Certificate, now: datetime
) -> Flaw | None:
    """The first reason to replace `certificate`; None if it stays. Its key is the caller's to compare."""
    if not signed_by(certificate, authority):
        return Flaw.ISSUER
    if subject_of(certificate) != subject_name(profile, subject):
        return Flaw.SUBJECT
    if _extension(certificate, x509.SubjectAlternativeName) != alternative_names(profile, subject):
        return Flaw.NAMES
    if _extension(certificate, x509.ExtendedKeyUsage) != x509.ExtendedKeyUsage(
        [USAGES[usage] for usage in profile.usages]
    ):
        return Flaw.USAGES
    if now < certificate.not_valid_before_utc:
        return Flaw.NOT_YET_VALID
    if now >= certificate.not_valid_after_utc:
        return Flaw.EXPIRED
    if now >= renewal(certificate, profile):
        return Flaw.HALF_LIFE
    return None


@functools.lru_cache(maxsize=64)
def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """True if `authority` signed `certificate`. Validity in time is not looked at.

    Remembered, for it is asked of the same ones at each reconciliation: that was a tenth of an idle agent's time.
    """
    key = authority.public_key()
    algorithm = certificate.signature_hash_algorithm
    if certificate.issuer != authority.subject or not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 in hex: of a cluster's CA it is the value of `hepto.ca`."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def renewal(certificate: x509.Certificate, profile: Profile) -> datetime:
    """When half of the certificate's life is over, counted from its issue: of the table's life, or of what the signer
    gave if that is less.
    """
    given = certificate.not_valid_after_utc - (certificate.not_valid_before_utc + BACKDATE)
    lifetime = max(min(profile.lifetime, given), MINUTES)
    return certificate.not_valid_after_utc - lifetime / 2


def _extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
