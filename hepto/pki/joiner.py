"""The node's side of a join and of a renewal (trust.md section 3). Pure; one object is one exchange.

    hello() -> hello_answered(body) -> request(server_key, keys) -> answered(body)

Nothing that the other side says is believed before its MAC is right: of a join that needs the gossip key, of a renewal
the WireGuard key of a master whose grant our CA has signed. Each step raises PkiError and may be tried again; a
stranger's answer changes nothing. No TLS certificate is looked at: the transcript holds the server's key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from hepto.given import shorten
from hepto.pki import fields, grant, join, revocations
from hepto.pki.grant import Grant
from hepto.pki.issue import long_names
from hepto.pki.join import Exchange, Hello, Request, Sealed, Welcome
from hepto.pki.reasons import PkiError, Reason, RefusedError
from hepto.pki.revocations import Revocations
from hepto.pki.verify import UNREADABLE, fingerprint, signed_by
from hepto.values import Role, Secret
from hepto.wireguard import public_key

ACCEPTED: Final = 200
PENDING: Final = 202
MILLISECONDS: Final = 1000
Seen = tuple[tuple[str, bytes], ...]
"""Names of members, and the grants that gossip shows of them."""


@dataclass(frozen=True)
class Waiting:
    """An operator has to admit the node first. It asks again after a while."""

    fingerprint: str
    """Of the node's identity, for `hepto node admit`."""


@dataclass(frozen=True)
class Enrolment:
    """What a node gets; all of it verified."""

    authority: x509.Certificate
    grant: bytes
    master_name: str
    master: bytes
    """The master's grant."""
    revocations: bytes
    certificates: Mapping[str, x509.Certificate]
    """By the profile's name; exactly those that were asked for."""
    time: float
    """Unix seconds of the master when it answered."""
    keys: tuple[Secret, ...]
    """The gossip keyring, primary first."""
    admins: tuple[str, ...] = ()
    """Public keys of the operators, as OpenSSH writes them."""


@dataclass(frozen=True)
class Applicant:
    """Who asks: its keys never show."""

    cluster: str
    name: str
    role: Role
    identity: Ed25519PrivateKey
    wireguard: Secret
    """X25519, the private half."""

    @property
    def identity_public(self) -> bytes:
        """32 bytes."""
        return self.identity.public_key().public_bytes_raw()


class _Exchange:
    """What a join and a renewal have in common."""

    exchange: Exchange

    def __init__(self, applicant: Applicant, nonce: bytes):
        assert join.SHORTEST_NONCE <= len(nonce) <= join.LONGEST_NONCE
        self._applicant = applicant
        self._nonce = nonce
        self._welcome: Welcome | None = None
        self._authority: x509.Certificate | None = None
        self._request: Request | None = None
        self._sent: Mapping[str, ec.EllipticCurvePublicKey] = {}
        self._transcript = b""
        self._key = b""

    def request(self, server_key: bytes, keys: Mapping[str, ec.EllipticCurvePrivateKey]) -> bytes:
        """The second body. `server_key`: SHA-256 of the TLS server's SubjectPublicKeyInfo in DER; keys by profile."""
        welcome, applicant = self._welcome, self._applicant
        assert welcome is not None, "nobody has answered the hello"
        private = applicant.wireguard.reveal()
        csrs = {profile: _csr(key) for profile, key in keys.items()}
        public = public_key(private)
        self._request = Request(applicant.name, applicant.role, applicant.identity_public, public, csrs)
        sealed = Sealed(join.encode(self._request), self._nonce, welcome.nonce, b"", b"", b"")
        transcript = join.transcript(self.exchange, applicant.cluster, server_key, welcome.authority, sealed)
        shared = fields.shared_key(private, grant.read(welcome.grant, welcome.master).wireguard)
        self._key = self._mac_key(shared)
        self._transcript = transcript
        self._sent = {profile: key.public_key() for profile, key in keys.items()}
        return join.encode(
            replace(
                sealed,
                signature=applicant.identity.sign(join.seal_signed(transcript)),
                possession=join.possession_mac(shared, transcript),
                mac=join.node_mac(self._key, transcript),
            )
        )

    def answered(self, body: bytes) -> Enrolment | Waiting:
        """What became of it. Raises RefusedError with the master's reason and advice, PkiError for what is untrue."""
        assert self._transcript, "nothing was asked"
        answered = join.read_answered(body)
        if not fields.same(join.master_mac(self._key, self._transcript, answered.response), answered.mac):
            raise PkiError(Reason.BAD_MAC, "the answer is not a master's")
        response = join.read_response(answered.response)
        if response.status == PENDING:
            return Waiting(fields.fingerprint(self._applicant.identity_public))
        if response.status != ACCEPTED:
            raise RefusedError(_known(response.reason), response.detail)
        return self._enrolment(response)

    def _enrolment(self, response: join.Response) -> Enrolment:
        authority, request = self._authority, self._request
        assert authority is not None
        assert request is not None
        granted = grant.verify(response.grant, request.name, authority)
        if (granted.identity, granted.wireguard, granted.role) != (request.identity, request.wireguard, request.role):
            raise PkiError(Reason.BAD_GRANT, "it is not for what was asked")
        revoked = revocations.verify(response.revocations, authority)
        _verify_master(response.master_grant, response.master, authority, revoked)
        if not response.keys:
            raise PkiError(Reason.MALFORMED, "there is no gossip key")
        return Enrolment(
            authority=authority,
            grant=response.grant,
            master_name=response.master,
            master=response.master_grant,
            revocations=response.revocations,
            certificates=self._certificates(response.certificates or {}, authority),
            time=response.time / MILLISECONDS,
            keys=tuple(Secret(key) for key in response.keys),
            admins=response.admins,
        )

    def _certificates(
        self, encoded: Mapping[str, bytes], authority: x509.Certificate
    ) -> Mapping[str, x509.Certificate]:
        if encoded.keys() != self._sent.keys():
            raise PkiError(Reason.BAD_CERTIFICATE, "not the certificates that were asked for")
        certificates = {profile: _certificate(data, Reason.BAD_CERTIFICATE) for profile, data in encoded.items()}
        for profile, certificate in certificates.items():
            if certificate.public_key() != self._sent[profile] or not signed_by(certificate, authority):
                raise PkiError(Reason.BAD_CERTIFICATE, f"{profile}: another key's or another authority's")
        return certificates

    def _mac_key(self, shared: bytes) -> bytes:
        raise NotImplementedError


class Joiner(_Exchange):
    """A node that has the gossip key and wants to belong."""

    exchange = Exchange.JOIN

    def __init__(
        self,
        applicant: Applicant,
        key: Secret,
        nonce: bytes,
        *,
        pin: str | None = None,
        known: x509.Certificate | None = None,
        seen: Seen = (),
    ):
        """`key`: the primary gossip key. `nonce`: 16 to 64 random bytes. `pin`: `hepto.ca`, SHA-256 in hex.

        `known`: the CA of the cluster that this node has belonged to (node lock): it never takes another.
        `seen`: without `pin` and `known` a CA that did not sign all of these is refused.
        """
        super().__init__(applicant, nonce)
        self._join_key = fields.join_key(key.reveal(), applicant.cluster)
        self._pin = pin
        self._known = known
        self._seen = seen

    def hello(self) -> bytes:
        """The first body."""
        hello = Hello(self._nonce)
        return join.encode(replace(hello, mac=join.hello_mac(self._join_key, hello)))

    def hello_answered(self, body: bytes) -> None:
        """The other side has the gossip key and offers a CA. Raises PkiError."""
        welcome = join.read_welcome(body)
        if not fields.same(join.welcome_mac(self._join_key, self._nonce, welcome), welcome.mac):
            raise PkiError(Reason.BAD_MAC, "the answer is from nobody with this gossip key")
        authority = _authority(welcome.authority)
        if self._pin is not None and self._pin != fingerprint(authority):
            raise PkiError(
                Reason.OTHER_AUTHORITY, f"the cluster's CA is {fingerprint(authority)}, not hepto.ca={self._pin}"
            )
        if self._known is not None and self._known != authority:
            raise PkiError(
                Reason.OTHER_AUTHORITY,
                f"the cluster's CA is {fingerprint(authority)}; this node belongs to {fingerprint(self._known)}",
            )
        _verify_master(welcome.grant, welcome.master, authority, Revocations())
        if self._pin is None and self._known is None:
            self._refuse_another_authority(authority)
        self._welcome, self._authority = welcome, authority

    def _refuse_another_authority(self, authority: x509.Certificate) -> None:
        """A member that was taken over has the gossip key, too, and may offer a CA of its own."""
        for name, data in self._seen:
            try:
                grant.verify(data, name, authority)
            except PkiError:
                raise PkiError(
                    Reason.OTHER_AUTHORITY,
                    f"the CA offered is {fingerprint(authority)}, and the grant that gossip shows of "
                    f"{shorten(name)} is not signed by it; give the right one as hepto.ca=",
                ) from None

    def _mac_key(self, shared: bytes) -> bytes:
        del shared
        return self._join_key


class Renewer(_Exchange):
    """A node that belongs and wants newer certificates, a newer grant, another WireGuard key, or the newest keyring."""

    exchange = Exchange.RENEWAL

    def __init__(
        self,
        applicant: Applicant,
        key: Secret,
        nonce: bytes,
        *,
        known: x509.Certificate,
        revoked: Revocations | None = None,
    ):
        """`known`: the cluster's CA. `revoked`: what is known of revoked grants. `key` may be a retired gossip key."""
        super().__init__(applicant, nonce)
        self._join_key = fields.join_key(key.reveal(), applicant.cluster)
        self._known = known
        self._revoked = revoked or Revocations()

    def hello(self) -> bytes:
        """The first body: with the MAC too, so that a node that was forgotten hears so."""
        hello = Hello(self._nonce, identity=self._applicant.identity_public)
        signature = self._applicant.identity.sign(join.hello_signed(self._applicant.cluster, hello))
        return join.encode(replace(hello, mac=join.hello_mac(self._join_key, hello), signature=signature))

    def hello_answered(self, body: bytes) -> None:
        """The other side knows a master of our cluster. Raises PkiError."""
        welcome = join.read_welcome(body)
        authority = _authority(welcome.authority)
        if authority != self._known:
            raise PkiError(
                Reason.OTHER_AUTHORITY,
                f"the CA there is {fingerprint(authority)}; this node belongs to {fingerprint(self._known)}",
            )
        _verify_master(welcome.grant, welcome.master, authority, self._revoked)
        self._welcome, self._authority = welcome, authority

    def _mac_key(self, shared: bytes) -> bytes:
        return shared


def _verify_master(data: bytes, name: str, authority: x509.Certificate, revoked: Revocations) -> Grant:
    granted = grant.verify(data, name, authority)
    if not granted.role.has_control_plane or revoked.holds(granted.serial):
        raise PkiError(Reason.NOT_A_MASTER, f"{name} is {granted.role}, or revoked")
    return granted


def _authority(data: bytes) -> x509.Certificate:
    """A certificate that may be a cluster's CA: signed by itself, P-256, a CA's. Raises PkiError(BAD_AUTHORITY)."""
    certificate = _certificate(data, Reason.BAD_AUTHORITY)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        key = certificate.public_key()
        good = constraints.ca and signed_by(certificate, certificate)
    except UNREADABLE:
        raise PkiError(Reason.BAD_AUTHORITY, "it is no CA's certificate") from None
    if not good or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PkiError(Reason.BAD_AUTHORITY, "it is no CA's certificate with a P-256 key")
    return certificate


def _certificate(data: bytes, reason: Reason) -> x509.Certificate:
    try:
        with long_names():
            certificate = x509.load_der_x509_certificate(data)
            # Parts are parsed when they are asked for, and whoever asks later does not expect a stranger's bytes.
            _ = certificate.public_key(), certificate.issuer, certificate.subject, certificate.signature_hash_algorithm
    except UNREADABLE:
        raise PkiError(reason, "it is no certificate") from None
    return certificate


def _csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Proves possession of the key; it asks for nothing, since the signer decides every field."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


def _known(reason: str) -> Reason:
    return Reason(reason) if reason in Reason.__members__.values() else Reason.REFUSED
