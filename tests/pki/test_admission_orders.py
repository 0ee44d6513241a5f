"""The orders of operators, and what nodes do against them, as stories of one register."""

from datetime import timedelta

import pytest

from hepto.errors import UserError
from hepto.pki import admission
from hepto.pki.reasons import Reason
from hepto.pki.revocations import Revoked
from tests.pki.example import NOW, Cluster, Node, unix

YEAR = timedelta(days=365)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_forget_frees_a_name_and_revokes_its_grants(cluster: Cluster) -> None:
    node = Node()
    cluster.ask(node)
    first = cluster.register.nodes["node1"].grant.serial
    second = cluster.renewed(Node(identity=node.identity)).serial
    version = cluster.register.revocations.version

    cluster.order(admission.forget(cluster.register, "node1", cluster.facts, NOW))

    revoked = cluster.register.revocations
    assert revoked.holds(first)
    assert revoked.holds(second)
    assert revoked.version > version
    assert cluster.refusal(node, renewal=True).kind is Reason.NOT_ENROLLED
    assert cluster.ask(Node()) is None


def test_revoke_denies_the_identity_for_ever(cluster: Cluster) -> None:
    node = Node()
    cluster.ask(node)

    cluster.order(admission.revoke(cluster.register, "node1", cluster.facts, NOW))

    for name in ("node1", "node2"):
        refusal = cluster.refusal(Node(name, identity=node.identity))
        assert (refusal.kind, refusal.status) == (Reason.DENIED, 403)
    assert cluster.refusal(node, renewal=True).kind is Reason.DENIED
    with pytest.raises(UserError, match="was revoked"):
        admission.replace_node(cluster.register, "node1", node.fingerprint, cluster.facts, NOW)


def test_replace_gives_the_name_to_another_identity(cluster: Cluster) -> None:
    old, new = Node(), Node()
    cluster.ask(old)

    cluster.order(admission.replace_node(cluster.register, "node1", new.fingerprint, cluster.facts, NOW))

    assert cluster.ask(new) is None
    assert cluster.refusal(old).kind is Reason.NAME_TAKEN


@pytest.mark.parametrize("admit", ["key", "operator"])
def test_the_old_node_is_not_back_before_the_one_that_replaces_it(admit: str) -> None:
    cluster, old, new = Cluster(admit), Node(), Node()
    cluster.order(admission.replace_node(cluster.register, "node1", old.fingerprint, cluster.facts, NOW))
    cluster.ask(old)
    cluster.order(admission.replace_node(cluster.register, "node1", new.fingerprint, cluster.facts, NOW))

    for stranger in (old, Node()):
        refusal = cluster.refusal(stranger)
        assert (refusal.kind, refusal.status) == (Reason.NAME_TAKEN, 409)
        assert new.fingerprint in refusal.detail
        assert f"hepto node replace node1 {stranger.fingerprint}" in refusal.detail
    assert cluster.ask(new) is None
    assert cluster.register.nodes["node1"].grant.identity == new.public


def test_a_name_that_was_kept_for_nobody_who_came_is_freed(cluster: Cluster) -> None:
    cluster.order(admission.replace_node(cluster.register, "node1", "ab" * 32, cluster.facts, NOW))
    with pytest.raises(UserError, match="there is no node node1"):
        admission.revoke(cluster.register, "node1", cluster.facts, NOW)

    cluster.order(admission.forget(cluster.register, "node1", cluster.facts, NOW))

    assert not cluster.register.admitted
    assert cluster.ask(Node()) is None


@pytest.mark.parametrize("name", ["node1", "node2"])
def test_who_was_forgotten_comes_back_by_an_operator_only(cluster: Cluster, name: str) -> None:
    old = Node()
    cluster.ask(old)
    cluster.order(admission.forget(cluster.register, "node1", cluster.facts, NOW))
    again, later = Node(name, identity=old.identity), NOW + YEAR

    assert cluster.ask(again, later) == old.fingerprint
    assert name not in cluster.register.nodes
    cluster.order(admission.admit(cluster.register, old.fingerprint))
    assert cluster.ask(again, later) is None
    assert cluster.register.nodes[name].grant.identity == old.public
    assert not cluster.register.forgotten


def test_another_machine_takes_a_forgotten_name_while_the_old_one_waits(cluster: Cluster) -> None:
    old, new = Node(), Node()
    cluster.ask(old)
    cluster.order(admission.forget(cluster.register, "node1", cluster.facts, NOW))
    cluster.ask(old)

    assert cluster.ask(new) is None
    assert cluster.refusal(old).kind is Reason.NAME_TAKEN


def test_revoked_grants_are_dropped_with_their_year(cluster: Cluster) -> None:
    for name in ("node1", "node2"):
        cluster.ask(Node(name))
    cluster.order(admission.forget(cluster.register, "node1", cluster.facts, NOW))

    cluster.order(admission.forget(cluster.register, "node2", cluster.facts, NOW + 2 * YEAR))

    assert cluster.register.revocations.entries == ()


@pytest.mark.parametrize("order", [admission.forget, admission.revoke])
def test_neither_the_master_nor_nobody_is_removed(cluster: Cluster, order: object) -> None:
    for name, what in (("mymaster", "is the master"), ("nobody", "there is no node nobody")):
        with pytest.raises(UserError, match=what):
            order(cluster.register, name, cluster.facts, NOW)  # type: ignore[operator]


@pytest.mark.parametrize("fingerprint", ["", "ab", "g" * 64, "AB" * 32])
def test_a_fingerprint_has_64_digits(cluster: Cluster, fingerprint: str) -> None:
    with pytest.raises(UserError, match="is no fingerprint"):
        admission.replace_node(cluster.register, "node1", fingerprint, cluster.facts, NOW)


def test_a_full_list_says_so(cluster: Cluster) -> None:
    entries = (Revoked(serial, unix() + 9) for serial in range(5000))

    with pytest.raises(UserError, match="is full"):
        admission.revoke_serials(cluster.register, entries, cluster.facts, NOW)
