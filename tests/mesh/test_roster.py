from dataclasses import replace
from ipaddress import IPv6Network

import pytest

from hepto.address import AddressPlan
from hepto.mesh.model import Peer
from hepto.mesh.roster import Refusal, admit
from tests.mesh.world import OWN, PLAN, key, peer

ONE = peer("node1", serial=5)
NOBODY: dict[str, Peer] = {}


def refusals(*peers: Peer, claims: dict[str, Peer] = NOBODY) -> dict[str, str]:
    return {name: str(reason) for name, reason in admit(claims, peers, frozenset(), OWN).refused.items()}


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (peer("node2", serial=6, public_key=key("node1")), Refusal.KEY_TAKEN),
        (replace(peer("node2", serial=6), address=PLAN.node("node1")), Refusal.ADDRESS_TAKEN),
        (replace(peer("node2", serial=6), pods=PLAN.pod_subnet("node1")), Refusal.SUBNET_TAKEN),
        (peer("node1", serial=6, public_key=key("other")), Refusal.NAME_TAKEN),
        (peer("node2", public_key=OWN.public_key), Refusal.OWN_KEY),
        (peer("own"), Refusal.OWN_ADDRESS),
        (replace(peer("node2"), address=AddressPlan("another").node("node2")), Refusal.OUTSIDE),
        (replace(peer("node2"), pods=IPv6Network("::/0")), Refusal.OUTSIDE),
    ],
)
def test_a_claim_that_is_another_s_is_refused_with_its_reason(claim: Peer, reason: Refusal) -> None:
    for peers in ((ONE, claim), (claim, ONE)):
        found = admit({}, peers, frozenset(), OWN)

        assert found.roster == {"node1": ONE}
        assert found.refused == {claim.name: reason}


def test_the_older_serial_keeps_a_claim_even_if_it_is_named_later() -> None:
    older = peer("node2", serial=4, public_key=key("node1"))
    first = admit({}, (ONE,), frozenset(), OWN)

    found = admit(first.claims, (older,), frozenset(), OWN)

    assert found.roster == {"node2": older}
    assert found.refused == {"node1": Refusal.KEY_TAKEN}
    assert admit(found.claims, (ONE, older), frozenset(), OWN) == found


def test_a_name_changes_its_key_by_a_newer_grant_only() -> None:
    newer = peer("node1", serial=6, public_key=key("new"))

    assert admit({"node1": ONE}, (newer,), frozenset(), OWN).roster == {"node1": newer}
    found = admit({"node1": newer}, (ONE,), frozenset(), OWN)
    assert (found.roster, found.refused) == ({"node1": newer}, {"node1": Refusal.OLDER_GRANT})


def test_a_revoked_grant_stands_in_nobody_s_way() -> None:
    revoked = frozenset({key("node1")})
    older = peer("node1", serial=4, public_key=key("other"))

    found = admit({"node1": ONE}, (ONE, older), revoked, OWN)

    assert (found.roster, found.refused) == ({"node1": older}, {"node1": Refusal.REVOKED})
    assert admit({"node1": ONE}, (), revoked, OWN).roster == {}
