"""Only grants make peers, and nothing that gossip says or leaves out takes one away."""

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.address import AddressPlan
from hepto.gossip.plain import EndpointRecord, Meta
from hepto.node.roster import Roster, Said, claims_control_plane
from hepto.node.standing import Standing
from hepto.pki import grant, revocations
from hepto.pki.grant import Grant
from hepto.pki.revocations import Revocations, Revoked
from hepto.values import Role
from hepto.wireguard import Endpoint
from tests.pki.example import authority

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLAN = AddressPlan("demo")
CA = authority(now=NOW)
OTHER_CA = authority(now=NOW)
HOME, MOVED, HEARD = (IPv6Address(f"2001:db8::{number}") for number in (1, 2, 3))


@dataclass
class Node:
    """Another node, as far as gossip shows it."""

    name: str
    key: Ed25519PrivateKey
    serial: int = 1
    wireguard: bytes = b"w" * 32
    role: Role = Role.NODE

    def grant(self, ca: object = CA) -> bytes:
        issuer = CA if ca is CA else OTHER_CA
        public = self.key.public_key().public_bytes_raw()
        claimed = Grant(self.name, self.role, public, self.wireguard, self.serial, 0, 2**40)
        return grant.issue(claimed, issuer.certificate.fingerprint(hashes.SHA256()), issuer.key)

    def said(
        self, *places: IPv6Address, counter: int = 1, proof: bytes | None = b"", seen: IPv6Address = HEARD
    ) -> Said:
        standing = Standing(self.name, 7947, 7948, self.key, self.grant() if proof == b"" else proof)
        return Said(self.name, seen, standing.meta([place.packed for place in places or (HOME,)], counter))


@pytest.fixture
def roster() -> Roster:
    found = Roster(PLAN, "one")
    found.trust(CA.certificate)
    return found


@pytest.fixture
def two() -> Node:
    return Node("two", Ed25519PrivateKey.generate())


def names(roster: Roster) -> list[str]:
    return [peer.name for peer in roster.peers()]


def test_a_grant_makes_a_peer_at_the_addresses_that_follow_from_its_name(roster: Roster, two: Node) -> None:
    assert roster.learn([two.said()])

    (peer,) = roster.peers()
    assert (peer.name, peer.public_key, peer.serial) == ("two", two.wireguard, 1)
    assert (peer.address, peer.pods) == (PLAN.node("two"), PLAN.pod_subnet("two"))
    assert peer.endpoints == (Endpoint(HOME, 7948), Endpoint(HEARD, 7948))
    assert not roster.learn([two.said()]), "the same again is no news"


def test_whoever_has_only_the_gossip_key_is_no_peer(roster: Roster, two: Node) -> None:
    for proof in (None, two.grant(OTHER_CA), bytes(154), b"x"):
        roster.learn([two.said(proof=proof)])

    assert names(roster) == []
    assert roster.refused["bad-grant"] == 3


def test_a_grant_is_its_node_s_alone(roster: Roster, two: Node) -> None:
    roster.learn([Node("three", two.key).said(proof=two.grant())])

    assert names(roster) == []


def test_before_a_ca_is_known_nobody_is_believed_and_then_everybody_who_may(two: Node) -> None:
    roster = Roster(PLAN, "one")
    roster.learn([two.said()])
    assert names(roster) == []

    roster.trust(CA.certificate)
    roster.learn([two.said()])
    assert names(roster) == ["two"]


def test_silence_an_empty_meta_and_a_lost_grant_take_nobody_away(roster: Roster, two: Node) -> None:
    roster.learn([two.said()])
    roster.learn([])
    roster.learn([two.said(proof=None, counter=2)])

    assert names(roster) == ["two"]


def test_a_move_counts_when_it_is_newer_and_signed_by_the_identity(roster: Roster, two: Node) -> None:
    roster.learn([two.said(counter=5)])
    thief = Node("two", Ed25519PrivateKey.generate())
    roster.learn([thief.said(MOVED, counter=9, proof=two.grant(), seen=HOME)])
    roster.learn([two.said(MOVED, counter=4, seen=HOME)])
    assert roster.peers()[0].endpoints == (Endpoint(HOME, 7948),)

    roster.learn([two.said(MOVED, counter=6, seen=MOVED)])
    assert roster.peers()[0].endpoints == (Endpoint(MOVED, 7948),)


def test_a_newer_grant_replaces_an_older_one_and_never_the_reverse(roster: Roster, two: Node) -> None:
    newer = Node("two", two.key, serial=2, wireguard=b"n" * 32)
    roster.learn([newer.said()])
    roster.learn([two.said(counter=2)])

    assert [peer.public_key for peer in roster.peers()] == [b"n" * 32]
    assert roster.refused["old-grant"] == 1


def test_a_revoked_grant_is_no_peer_and_its_key_is_named(roster: Roster, two: Node) -> None:
    roster.learn([two.said()])
    revoked = Revocations(7, (Revoked(1, 2**40),))

    assert roster.revoke(revoked)
    assert names(roster) == []
    assert roster.revoked_keys() == {two.wireguard}
    assert not roster.revoke(Revocations(6, ())), "a lower version is refused"
    assert not roster.revoke(revoked)
    assert roster.revocations.version == 7


def test_gossip_s_verifier_wants_a_grant_and_the_identity_s_signature(roster: Roster, two: Node) -> None:
    good = two.said().meta
    forged = Meta(good.grant, EndpointRecord((MOVED.packed,), 7947, 7948, 9, good.endpoint.signature))

    assert roster.verify(b"two", good)
    assert not roster.verify(b"three", good)
    assert not roster.verify(b"two", forged)
    assert not roster.verify(b"two", Meta(None, good.endpoint))


def test_an_expired_grant_admits_nobody_new_and_keeps_who_is_in(roster: Roster, two: Node) -> None:
    after = 2.0**41
    roster.learn([two.said()], after)
    assert names(roster) == []
    assert roster.refused["expired-grant"] == 1

    roster.learn([two.said()], 1.0)
    roster.learn([two.said(counter=2)], after)
    assert names(roster) == ["two"]
    assert roster.refused["expired-grant"] == 1, "counted once"


def test_a_forged_record_is_judged_once(roster: Roster, two: Node) -> None:
    roster.learn([two.said()])
    thief = Node("two", Ed25519PrivateKey.generate())
    for _ in range(3):
        roster.learn([thief.said(MOVED, counter=9, proof=two.grant())])

    assert roster.refused["bad-endpoint"] == 1


def test_nodes_are_known_by_their_addresses(roster: Roster, two: Node) -> None:
    roster.learn([two.said()])

    assert roster.has(PLAN.node("two").packed)
    assert roster.has(HEARD.packed)
    assert not roster.has(MOVED.packed)


def test_the_node_itself_is_no_peer(roster: Roster) -> None:
    roster.learn([Node("one", Ed25519PrivateKey.generate()).said()])

    assert names(roster) == []


def test_who_says_to_be_a_master_is_asked_first(two: Node) -> None:
    assert claims_control_plane(Node("m", two.key, role=Role.FULL).said())
    assert not claims_control_plane(two.said())
    assert not claims_control_plane(two.said(proof=b"x"))


def test_revocations_are_those_that_travel() -> None:
    data = revocations.issue(Revocations(3, ()), CA.certificate.fingerprint(hashes.SHA256()), CA.key)

    assert revocations.verify(data, CA.certificate) == Revocations(3, ())
