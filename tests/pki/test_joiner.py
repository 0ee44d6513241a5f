"""The node's side: what it gets by a whole join and renewal, and what it does not believe."""

from datetime import timedelta

import pytest

from hepto.pki import grant, revocations
from hepto.pki.profiles import BY_NAME
from hepto.pki.verify import flaw
from hepto.values import Role
from tests.pki.example import GOSSIP_KEY, NOW, PROFILES, WORKER, Master, Node, unix


@pytest.fixture
def master() -> Master:
    return Master()


def test_a_join_gives_all_that_a_worker_needs(master: Master) -> None:
    node = Node()

    enrolment = master.join(node)

    assert enrolment.authority == master.issuer.certificate
    granted = grant.verify(enrolment.grant, "node1", enrolment.authority)
    assert (granted.identity, granted.wireguard, granted.role) == (node.public, node.wireguard_public, Role.NODE)
    assert granted.valid_at(unix())
    assert set(enrolment.certificates) == set(PROFILES)
    for name, certificate in enrolment.certificates.items():
        assert flaw(certificate, BY_NAME[name], WORKER, enrolment.authority, NOW) is None
    assert enrolment.master_name == "mymaster"
    assert grant.verify(enrolment.master, "mymaster", enrolment.authority).role is Role.FULL
    assert revocations.verify(enrolment.revocations, enrolment.authority).entries == ()
    assert enrolment.keys == (GOSSIP_KEY,)
    assert enrolment.time == unix()


def test_a_renewal_gives_it_again(master: Master) -> None:
    node = Node()
    first = master.join(node)

    second = master.renew(node, NOW + timedelta(hours=12))

    assert set(second.certificates) == set(PROFILES)
    assert grant.read(second.grant, "node1") == grant.read(first.grant, "node1")
