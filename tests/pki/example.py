"""A cluster's authority, its signer and nodes for all tests of hepto/pki. Keys are made once: P-256 takes no time."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hepto.address import AddressPlan
from hepto.pki import admission, fields, grant, issue, join
from hepto.pki.admission import Facts
from hepto.pki.issue import Issuer
from hepto.pki.join import Exchange, Hello, Request, Sealed
from hepto.pki.joiner import Applicant, Enrolment, Joiner, Renewer
from hepto.pki.profiles import BY_NAME, Authority, Subject, held_by
from hepto.pki.reasons import PkiError
from hepto.pki.register import Register, dump, load
from hepto.pki.signer import Answer, Signer
from hepto.pki.store import Pair
from hepto.values import Role, Secret
from hepto.wireguard import public_key

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PLAN = AddressPlan("mycluster")
MASTER = Subject(
    cluster="mycluster",
    node="mymaster",
    address=PLAN.node("mymaster"),
    master=True,
    worker=True,
    kubernetes_service=PLAN.kubernetes_service,
    api_names=("api.example.org",),
)
WORKER = Subject("mycluster", "node1", PLAN.node("node1"), False, True, PLAN.kubernetes_service)


PROFILES = tuple(profile.name for profile in held_by(WORKER))


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def authority(which: Authority = Authority.CLUSTER, now: datetime = NOW) -> Issuer:
    return issue.authority(which, "mycluster", key(), 1, now)


def pair(profile: str, issuer: Issuer, subject: Subject = MASTER, now: datetime = NOW) -> Pair:
    own = key()
    return Pair(issue.leaf(BY_NAME[profile], subject, own.public_key(), issuer, 2, now), own)


CLUSTER = "mycluster"
GOSSIP_KEY = Secret(bytes(range(32)))
SERVER_KEY = bytes(32)
"""What the TLS server shows, in exchanges without TLS."""


def unix(now: datetime = NOW) -> int:
    return int(now.timestamp())


@dataclass
class Node:
    """A machine with its keys, not enrolled yet."""

    name: str = "node1"
    role: Role = Role.NODE
    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    wireguard: Secret = field(default_factory=lambda: Secret(X25519PrivateKey.generate().private_bytes_raw()))

    @property
    def public(self) -> bytes:
        return self.identity.public_key().public_bytes_raw()

    @property
    def wireguard_public(self) -> bytes:
        return public_key(self.wireguard.reveal())

    @property
    def fingerprint(self) -> str:
        return fields.fingerprint(self.public)

    @property
    def applicant(self) -> Applicant:
        return Applicant(CLUSTER, self.name, self.role, self.identity, self.wireguard)

    def request(self, csrs: Mapping[str, bytes] | None = None) -> Request:
        return Request(self.name, self.role, self.public, self.wireguard_public, csrs or {})


class Master:
    """A signer with what surrounds it: what it calls durable is durable."""

    def __init__(self, admit: str = "key", keys: tuple[Secret, ...] = (GOSSIP_KEY,), issuer: Issuer | None = None):
        self.node = Node("mymaster", Role.FULL)
        self.issuer = issuer or authority()
        self.facts = Facts("mymaster", PLAN, self.issuer, admit == "key")
        register = admission.enrol_master(Register(), self.node.request(), self.facts, NOW)
        self._random = random.Random(1)
        self.signer = Signer(
            MASTER,
            self.issuer,
            grant.issue(register.nodes["mymaster"].grant, self.facts.authority, self.issuer.key),
            self.node.wireguard,
            register,
            keys,
            admit=admit,
            server_key=SERVER_KEY,
            token=self._random.randbytes,
            serial=lambda: self._random.getrandbits(150),
        )

    @property
    def register(self) -> Register:
        return self.signer.register

    def order(self, register: Register) -> None:
        self.signer.register = load(dump(register))

    def taken(self, answer: Answer) -> bytes:
        """The answer's body, once its register is durable."""
        if answer.register is not None:
            self.order(answer.register)
        return answer.body

    def join(self, node: Node, now: datetime = NOW, profiles: tuple[str, ...] = PROFILES, **more: object) -> Enrolment:
        """A whole join. Raises AssertionError if the node has to wait."""
        joiner = Joiner(node.applicant, self.signer.keys[0], b"n" * 16, **more)  # type: ignore[arg-type]
        return self.exchange(joiner, self.signer.join, now, profiles)

    def renew(
        self, node: Node, now: datetime = NOW, profiles: tuple[str, ...] = PROFILES, key: Secret = GOSSIP_KEY
    ) -> Enrolment:
        """A whole renewal."""
        renewer = Renewer(node.applicant, key, b"r" * 16, known=self.issuer.certificate)
        return self.exchange(renewer, self.signer.renew, now, profiles)

    def exchange(
        self,
        asking: Joiner | Renewer,
        asked: Callable[[bytes, datetime], Answer],
        now: datetime,
        profiles: tuple[str, ...],
    ) -> Enrolment:
        asking.hello_answered(self.signer.hello(asking.hello(), now).body)
        body = asking.request(SERVER_KEY, {profile: key() for profile in profiles})
        try:
            answer = asked(body, now)
        except PkiError as error:
            if not error.body:
                raise
            asking.answered(error.body)
            raise AssertionError("a refusal is no enrolment") from error
        enrolment = asking.answered(self.taken(answer))
        assert isinstance(enrolment, Enrolment)
        return enrolment


JOIN_KEY = fields.join_key(GOSSIP_KEY.reveal(), CLUSTER)


def forged(master: Master, node: Node, request: bytes) -> bytes:
    """A join with all proofs of `node` around a request that no joiner of ours would make."""
    hello = Hello(b"n" * 16)
    hello = replace(hello, mac=join.hello_mac(JOIN_KEY, hello))
    welcome = join.read_welcome(master.signer.hello(join.encode(hello), NOW).body)
    sealed = Sealed(request, hello.nonce, welcome.nonce, b"", b"", b"")
    transcript = join.transcript(Exchange.JOIN, CLUSTER, SERVER_KEY, welcome.authority, sealed)
    shared = fields.shared_key(node.wireguard.reveal(), master.node.wireguard_public)
    return join.encode(
        replace(
            sealed,
            signature=node.identity.sign(join.seal_signed(transcript)),
            possession=join.possession_mac(shared, transcript),
            mac=join.node_mac(JOIN_KEY, transcript),
        )
    )


class Cluster(Master):
    """Rules without messages."""

    def ask(self, node: Node, now: datetime = NOW) -> str | None:
        """A join; the fingerprint that waits, if it has to."""
        decision = admission.join(self.register, node.request(), self.facts, now)
        self.order(decision.register)
        return decision.pending

    def renewed(self, node: Node, now: datetime = NOW) -> grant.Grant:
        self.order(admission.renew(self.register, node.request(), self.facts, now).register)
        return self.register.nodes[node.name].grant

    def renew_master(self, now: datetime) -> None:
        """With another WireGuard key."""
        request = Node("mymaster", Role.FULL, self.node.identity).request()
        self.order(admission.enrol_master(self.register, request, self.facts, now))

    def refusal(self, node: Node, now: datetime = NOW, *, renewal: bool = False) -> PkiError:
        before = self.register
        with pytest.raises(PkiError) as error:
            self.renewed(node, now) if renewal else self.ask(node, now)
        assert self.register == before
        return error.value
