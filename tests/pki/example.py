"""A cluster's authority and one node for all tests of hepto/pki. Keys are made once: P-256 takes no time."""

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec

from hepto.address import AddressPlan
from hepto.pki import issue
from hepto.pki.issue import Issuer
from hepto.pki.profiles import BY_NAME, Authority, Subject
from hepto.pki.store import Pair

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


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def authority(which: Authority = Authority.CLUSTER, now: datetime = NOW) -> Issuer:
    return issue.authority(which, "mycluster", key(), 1, now)


def pair(profile: str, issuer: Issuer, subject: Subject = MASTER, now: datetime = NOW) -> Pair:
    own = key()
    return Pair(issue.leaf(BY_NAME[profile], subject, own.public_key(), issuer, 2, now), own)
