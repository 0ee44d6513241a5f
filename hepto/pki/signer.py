"""The master's side of joins and renewals: bytes in, answers out (trust.md sections 2 to 4). Pure but for its nonces.

The signer decides every field. Of a request only keys are used, names are pinned to identities, and what a node gets
follows from the register and the table of certificates alone. Refusals are PkiError: without a body for who cannot
prove the gossip key or a known identity, and gets no answer, else with one that carries the signer's MAC.

A register in an answer has to be on the disk before the answer is sent; then it becomes `Signer.register`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hepto.address import AddressPlan
from hepto.pki import admission, fields, grant, issue, join
from hepto.pki.admission import Facts
from hepto.pki.endpoint import verify_identity
from hepto.pki.issue import Issuer
from hepto.pki.join import Exchange, Hello, Request, Response, Sealed, Welcome
from hepto.pki.joiner import ACCEPTED, MILLISECONDS, PENDING
from hepto.pki.profiles import AUTHORITY_LIFETIME, BY_NAME, Profile, Subject
from hepto.pki.reasons import PkiError, Reason
from hepto.pki.register import Register
from hepto.pki.verify import UNREADABLE
from hepto.values import Role, Secret

NONCE_BYTES: Final = 32
NONCE_LIFE: Final = timedelta(seconds=60)
MOST_NONCES: Final = 1024
"""The oldest goes: only who has the gossip key or an identity of a node can make one."""


@dataclass(frozen=True)
class Answer:
    """What to send; `register`, if there is one, is to be durable before."""

    status: int
    body: bytes
    register: Register | None = None


class _Welcomed(NamedTuple):
    """Who has got a nonce."""

    nonce: bytes
    """Its own."""
    at: datetime
    who: bytes
    """Its identity, if it has signed with a known one."""


class Signer:
    """One cluster's, on its master. The caller replaces its public attributes as what they hold changes."""

    def __init__(
        self,
        subject: Subject,
        authority: Issuer,
        own: bytes,
        wireguard: Secret,
        register: Register,
        keys: tuple[Secret, ...],
        *,
        admit: str,
        admins: tuple[str, ...] = (),
        longest: timedelta = AUTHORITY_LIFETIME,
        server_key: bytes,
        token: Callable[[int], bytes],
        serial: Callable[[], int],
    ):
        """`subject`, `own` grant and `wireguard` (X25519, private) are the master's; `keys` the gossip keyring, primary
        first; `admit` is "key" or "operator"; `admins` are the operators' public keys, for other nodes to know; no
        leaf of a node lives longer than `longest`;
        `server_key` is the SHA-256 of the SubjectPublicKeyInfo that TLS shows; `token(n)` gives n random bytes,
        `serial()` a certificate's serial number.
        """
        self.own = own
        self.wireguard = wireguard
        self.register = register
        self.keys = keys
        self.server_key = server_key
        self._subject = subject
        self._plan = AddressPlan(subject.cluster)
        self._issuer = authority
        self._authority = authority.certificate.public_bytes(Encoding.DER)
        self._admit_by_key = admit == "key"
        self._admins = admins
        self._longest = longest
        self._token = token
        self._serial = serial
        self._nonces: dict[bytes, _Welcomed] = {}

    @property
    def facts(self) -> Facts:
        """What the rules of admission want to know, for the orders of operators too."""
        return Facts(self._subject.node, self._plan, self._issuer, self._admit_by_key, self._subject.api_names)

    def hello(self, body: bytes, now: datetime) -> Answer:
        """Welcome whoever has the primary gossip key, or an identity that is enrolled or denied (and is to hear so)."""
        hello = join.read_hello(body)
        identity = self._known_identity(hello)
        if not identity and not fields.same(join.hello_mac(self._join_key, hello), hello.mac):
            raise PkiError(Reason.BAD_MAC)
        nonce = self._nonce_for(hello, identity, now)
        welcome = Welcome(self._authority, self._subject.node, self.own, nonce, _milliseconds(now))
        mac = join.welcome_mac(self._join_key, hello.nonce, welcome)
        return Answer(ACCEPTED, join.encode(replace(welcome, mac=mac)))

    def _nonce_for(self, hello: Hello, identity: bytes, now: datetime) -> bytes:
        """A new nonce; for a hello that is repeated the one that it has got, for whoever listens can repeat it.

        An identity has one at a time, so that a revoked node cannot push out those of others either.
        """
        for nonce, welcomed in self._nonces.items():
            if welcomed.nonce == hello.nonce and welcomed.who == identity and abs(now - welcomed.at) <= NONCE_LIFE:
                return nonce
        if identity:
            self._nonces = {nonce: welcomed for nonce, welcomed in self._nonces.items() if welcomed.who != identity}
        while len(self._nonces) >= MOST_NONCES:
            self._nonces.pop(next(iter(self._nonces)))
        fresh = self._token(NONCE_BYTES)
        self._nonces[fresh] = _Welcomed(hello.nonce, now, identity)
        return fresh

    def join(self, body: bytes, now: datetime) -> Answer:
        """Let a new node in, or one whose answer was lost."""
        return self._exchange(Exchange.JOIN, body, now)

    def renew(self, body: bytes, now: datetime) -> Answer:
        """Newer certificates, a newer grant or another WireGuard key for a node that belongs."""
        return self._exchange(Exchange.RENEWAL, body, now)

    def operator_certificate(self, fingerprint: str, csr: bytes, now: datetime) -> x509.Certificate:
        """A day's client certificate for an operator whose order was verified (trust.md section 6); CSR in DER."""
        self._check_clock(now)
        operator = replace(self._subject, node=fingerprint)
        key = _public_key("operator", csr)
        return issue.leaf(BY_NAME["operator"], operator, key, self._issuer, self._serial(), now)

    def _exchange(self, exchange: Exchange, body: bytes, now: datetime) -> Answer:
        sealed = join.read_sealed(body)
        transcript = join.transcript(exchange, self._subject.cluster, self.server_key, self._authority, sealed)
        key = self._join_key if exchange is Exchange.JOIN else self._renewal_key(sealed)
        if not fields.same(join.node_mac(key, transcript), sealed.mac):
            raise PkiError(Reason.BAD_MAC)
        try:
            request = join.read_request(sealed.request)
            self._verify(sealed, request, transcript, now)
            keys = {profile: _public_key(profile, csr) for profile, csr in request.csrs.items()}
            response, register = self._decide(exchange, request, keys, now)
        except PkiError as error:
            response = Response(error.status, error.kind.value, error.detail)
            raise PkiError(error.kind, error.detail, self._seal(key, transcript, response)) from None
        changed = None if register == self.register else register
        return Answer(response.status, self._seal(key, transcript, response), changed)

    def _renewal_key(self, sealed: Sealed) -> bytes:
        """Anybody can agree on a key with the master, so only who was welcomed gets as far as this."""
        if sealed.master_nonce not in self._nonces:
            raise PkiError(Reason.BAD_MAC)
        return fields.shared_key(self.wireguard.reveal(), join.read_request(sealed.request).wireguard)

    def _verify(self, sealed: Sealed, request: Request, transcript: bytes, now: datetime) -> None:
        """The one who asks has the identity's key and the WireGuard key, and asks now."""
        if not verify_identity(request.identity, join.seal_signed(transcript), sealed.signature):
            raise PkiError(Reason.BAD_SIGNATURE, "the identity did not sign this")
        shared = fields.shared_key(self.wireguard.reveal(), request.wireguard)
        if not fields.same(join.possession_mac(shared, transcript), sealed.possession):
            raise PkiError(Reason.NO_POSSESSION, "the WireGuard key is not the sender's")
        welcomed = self._nonces.pop(sealed.master_nonce, None)
        if welcomed is None or welcomed.nonce != sealed.nonce or abs(now - welcomed.at) > NONCE_LIFE:
            raise PkiError(Reason.BAD_NONCE, "the exchange took too long, or was repeated; begin again")
        self._check_clock(now)

    def _check_clock(self, now: datetime) -> None:
        certificate = self._issuer.certificate
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            raise PkiError(Reason.BAD_CLOCK, f"the master's clock, {now:%F %T} UTC, is outside of its CA's life")

    def _decide(
        self, exchange: Exchange, request: Request, keys: Mapping[str, ec.EllipticCurvePublicKey], now: datetime
    ) -> tuple[Response, Register]:
        decide = admission.join if exchange is Exchange.JOIN else admission.renew
        decision = decide(self.register, request, self.facts, now)
        if decision.pending is not None:
            return Response(PENDING, fingerprint=decision.pending), decision.register
        granted = decision.register.nodes[request.name].grant
        certificates = self._certificates(granted.node, granted.role, keys, now)
        authority = self._issuer.certificate.fingerprint(hashes.SHA256())
        response = Response(
            status=ACCEPTED,
            grant=grant.issue(granted, authority, self._issuer.key),
            master=self._subject.node,
            master_grant=self.own,
            revocations=decision.register.revoked,
            certificates=certificates,
            time=_milliseconds(now),
            keys=tuple(key.reveal() for key in self.keys[: join.MOST_KEYS]),
            admins=self._admins,
        )
        return response, decision.register

    def _certificates(
        self, node: str, role: Role, keys: Mapping[str, ec.EllipticCurvePublicKey], now: datetime
    ) -> Mapping[str, bytes]:
        subject = enrolled_subject(self._subject.cluster, node, role)
        profiles = {name: _profile(name, subject) for name in keys}
        certificates = {
            name: issue.leaf(profiles[name], subject, key, self._issuer, self._serial(), now, self._longest)
            for name, key in keys.items()
        }
        return {name: certificate.public_bytes(Encoding.DER) for name, certificate in certificates.items()}

    def _seal(self, key: bytes, transcript: bytes, response: Response) -> bytes:
        encoded = join.encode(response)
        return join.encode(join.Answered(encoded, join.master_mac(key, transcript, encoded)))

    def _known_identity(self, hello: Hello) -> bytes:
        """The identity that has signed the hello, if it is enrolled or denied; else nothing."""
        identity = hello.identity
        if identity not in self.register.denied and self.register.owner(identity) is None:
            return b""
        signed = join.hello_signed(self._subject.cluster, hello)
        return identity if verify_identity(identity, signed, hello.signature) else b""

    @property
    def _join_key(self) -> bytes:
        return fields.join_key(self.keys[0].reveal(), self._subject.cluster)


def enrolled_subject(cluster: str, node: str, role: Role) -> Subject:
    """All that enters a node's certificates: nothing that it says itself, so no `api_names`."""
    plan = AddressPlan(cluster)
    address = plan.node(node)
    return Subject(cluster, node, address, role.has_control_plane, role.has_pods, plan.kubernetes_service)


def _profile(name: str, subject: Subject) -> Profile:
    profile = BY_NAME.get(name)
    if profile is None or not profile.held_by(subject):
        raise PkiError(Reason.BAD_PROFILE, f"a node of this role has no certificate {name}")
    return profile


def _public_key(profile: str, csr: bytes) -> ec.EllipticCurvePublicKey:
    """The only thing that is taken from a certificate request, once it has proved the private half."""
    try:
        request = x509.load_der_x509_csr(csr)
        key = request.public_key()
        valid = request.is_signature_valid
    except UNREADABLE:
        raise PkiError(Reason.BAD_CSR, f"{profile}: it is no certificate request") from None
    if not valid:
        raise PkiError(Reason.BAD_CSR, f"{profile}: it is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PkiError(Reason.BAD_CSR, f"{profile}: the key is not of P-256")
    return key


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * MILLISECONDS)
