"""The rules of who belongs, as stories of one register."""

from datetime import timedelta
from ipaddress import IPv6Network

import pytest

from hepto.address import AddressPlan
from hepto.errors import UserError
from hepto.pki import admission, grant, register
from hepto.pki.reasons import PkiError, Reason
from hepto.pki.register import Pending, Register
from hepto.pki.revocations import Revoked
from hepto.values import Role
from tests.pki.example import NOW, PLAN, Cluster, Node, unix

YEAR = timedelta(days=365)
HOURS = timedelta(hours=2)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_the_key_lets_a_new_node_in(cluster: Cluster) -> None:
    node = Node()

    assert cluster.ask(node) is None

    granted = cluster.register.nodes["node1"].grant
    assert (granted.node, granted.role, granted.identity) == ("node1", Role.NODE, node.public)
    assert granted.serial > cluster.register.nodes["mymaster"].grant.serial
    assert granted.not_before == max(unix() - 3600, unix(cluster.issuer.certificate.not_valid_before_utc))
    assert granted.not_after == unix() + grant.LIFETIME


def test_a_lost_answer_is_asked_for_again(cluster: Cluster) -> None:
    node = Node()
    cluster.ask(node)
    before = cluster.register

    cluster.ask(node, NOW + timedelta(minutes=5))

    assert cluster.register == before


def test_no_grant_is_valid_before_its_authority(cluster: Cluster) -> None:
    cluster.ask(Node(), cluster.issuer.certificate.not_valid_before_utc)

    assert cluster.register.nodes["node1"].grant.not_before == unix(cluster.issuer.certificate.not_valid_before_utc)


def test_no_grant_outlives_its_authority(cluster: Cluster) -> None:
    end = cluster.issuer.certificate.not_valid_after_utc

    cluster.ask(Node(), end - timedelta(days=3))

    assert cluster.register.nodes["node1"].grant.not_after == unix(end)


@pytest.mark.parametrize("role", [Role.MASTER, Role.FULL])
def test_a_second_master_is_told_what_to_do(cluster: Cluster, role: Role) -> None:
    refusal = cluster.refusal(Node("other", role))

    assert (refusal.kind, refusal.status) == (Reason.SECOND_MASTER, 403)
    assert "mymaster" in refusal.detail
    assert "hepto.role=node" in refusal.detail


def test_a_name_belongs_to_an_identity(cluster: Cluster) -> None:
    cluster.ask(Node())
    other = Node()

    refusal = cluster.refusal(other)

    assert (refusal.kind, refusal.status) == (Reason.NAME_TAKEN, 409)
    assert f"hepto node replace node1 {other.fingerprint}" in refusal.detail


def test_an_identity_has_one_name(cluster: Cluster) -> None:
    node = Node()
    cluster.ask(node)

    refusal = cluster.refusal(Node("node2", identity=node.identity))

    assert (refusal.kind, refusal.status) == (Reason.IDENTITY_TAKEN, 409)
    assert "hepto node forget node1" in refusal.detail


@pytest.mark.parametrize("enrolled_before", [False, True])
def test_a_wireguard_key_is_one_nodes(cluster: Cluster, enrolled_before: bool) -> None:
    first, second = Node(), Node("node2")
    cluster.ask(first)
    if enrolled_before:
        cluster.ask(second)

    refusal = cluster.refusal(
        Node("node2", identity=second.identity, wireguard=first.wireguard), renewal=enrolled_before
    )

    assert (refusal.kind, refusal.status) == (Reason.WIREGUARD_KEY_TAKEN, 409)


class Crowded(AddressPlan):
    """A plan in which all nodes have the same pods."""

    def pod_subnet(self, name: str) -> IPv6Network:
        del name
        return super().pod_subnet("same")


def test_names_that_hash_to_the_same_address_are_refused(cluster: Cluster) -> None:
    facts = admission.Facts("mymaster", Crowded("mycluster"), cluster.issuer, True)

    with pytest.raises(PkiError) as error:
        admission.join(cluster.register, Node().request(), facts, NOW)

    assert (error.value.kind, error.value.status) == (Reason.ADDRESS_TAKEN, 409)


@pytest.mark.parametrize("name", ["kubernetes", "localhost", "api"])
def test_no_node_poses_as_the_apiserver(cluster: Cluster, name: str) -> None:
    facts = admission.Facts("mymaster", PLAN, cluster.issuer, True, api_names=("api",))

    with pytest.raises(PkiError) as error:
        admission.join(cluster.register, Node(name).request(), facts, NOW)

    assert error.value.kind is Reason.BAD_NAME


def test_only_so_many_new_names_come_within_an_hour(cluster: Cluster) -> None:
    for number in range(register.MOST_NAMES_AN_HOUR):
        cluster.ask(Node(f"node{number}"), NOW + timedelta(minutes=number))
    late = Node("late")

    refusal = cluster.refusal(late, NOW + timedelta(minutes=59))

    assert (refusal.kind, refusal.status) == (Reason.TOO_MANY_NAMES, 429)
    cluster.ask(late, NOW + timedelta(minutes=60))
    assert "late" in cluster.register.nodes


def test_an_operator_is_not_counted(cluster: Cluster) -> None:
    for number in range(register.MOST_NAMES_AN_HOUR):
        cluster.ask(Node(f"node{number}"))
    late = Node("late")

    cluster.order(admission.replace_node(cluster.register, "late", late.fingerprint, cluster.facts, NOW))

    assert cluster.ask(late) is None


class TestAdmitByOperator:
    @pytest.fixture
    def cluster(self) -> Cluster:
        return Cluster(admit="operator")

    def test_a_node_waits_until_it_is_admitted(self, cluster: Cluster) -> None:
        node = Node()

        assert cluster.ask(node) == node.fingerprint
        before = cluster.register
        assert cluster.ask(node, NOW + timedelta(minutes=1)) == node.fingerprint
        assert cluster.register == before
        assert before.pending[node.fingerprint].name == "node1"

        cluster.order(admission.admit(cluster.register, node.fingerprint))
        assert cluster.ask(node) is None
        assert cluster.register.nodes["node1"].grant.identity == node.public
        assert not cluster.register.pending
        assert not cluster.register.admitted

    def test_who_was_admitted_comes_under_that_name_only(self, cluster: Cluster) -> None:
        node = Node()
        cluster.ask(node)
        cluster.order(admission.admit(cluster.register, node.fingerprint))

        assert cluster.ask(Node("node2", identity=node.identity)) == node.fingerprint

    def test_nobody_is_admitted_who_did_not_ask(self, cluster: Cluster) -> None:
        with pytest.raises(UserError, match="no node with the fingerprint"):
            admission.admit(cluster.register, "ab" * 32)

    def test_a_taken_name_does_not_wait(self, cluster: Cluster) -> None:
        assert cluster.refusal(Node("mymaster")).kind is Reason.NAME_TAKEN

    def test_only_so_many_wait_and_not_for_ever(self, cluster: Cluster) -> None:
        waiting = cluster.register
        for number in range(register.MOST_PENDING):
            waiting = waiting.with_pending(f"{number:064x}", Pending(f"node{number}", Role.NODE, unix()))
        cluster.order(waiting)

        refusal = cluster.refusal(Node("late"), NOW + timedelta(hours=23))
        assert (refusal.kind, refusal.status) == (Reason.TOO_MANY_PENDING, 429)

        cluster.ask(Node("late"), NOW + timedelta(hours=25))
        assert [item.name for item in cluster.register.pending.values()] == ["late"]

    def test_who_belongs_does_not_wait(self, cluster: Cluster) -> None:
        node = Node()
        cluster.order(admission.replace_node(cluster.register, "node1", node.fingerprint, cluster.facts, NOW))
        cluster.ask(node)

        assert cluster.ask(node) is None


class TestRenewal:
    def test_a_grant_is_renewed_at_half_its_life(self, cluster: Cluster) -> None:
        node = Node()
        cluster.ask(node)
        first = cluster.register.nodes["node1"].grant

        assert cluster.renewed(node, NOW + YEAR / 2 - timedelta(seconds=1)) == first
        second = cluster.renewed(node, NOW + YEAR / 2)

        assert second.serial > first.serial
        assert second.not_after == unix(NOW + YEAR / 2) + grant.LIFETIME
        assert (second.identity, second.wireguard, second.role) == (first.identity, first.wireguard, first.role)

    def test_another_wireguard_key_is_another_grant(self, cluster: Cluster) -> None:
        node = Node()
        cluster.ask(node)
        first = cluster.register.nodes["node1"]
        changed = Node(identity=node.identity)

        second = cluster.renewed(changed)

        assert second.wireguard == changed.wireguard_public
        assert second.serial > first.grant.serial
        assert cluster.register.nodes["node1"].serials[0].serial == first.grant.serial

    def test_a_node_that_was_off_for_years_still_belongs(self, cluster: Cluster) -> None:
        node = Node()
        cluster.ask(node)

        assert cluster.renewed(node, NOW + 3 * YEAR).valid_at(unix(NOW + 3 * YEAR))

    @pytest.mark.parametrize("role", [Role.MASTER, Role.FULL])
    def test_a_role_never_changes(self, cluster: Cluster, role: Role) -> None:
        node = Node()
        cluster.ask(node)

        refusal = cluster.refusal(Node(role=role, identity=node.identity, wireguard=node.wireguard), renewal=True)

        assert (refusal.kind, refusal.status) == (Reason.ROLE_PINNED, 409)

    def test_strangers_and_other_identities_renew_nothing(self, cluster: Cluster) -> None:
        assert cluster.refusal(Node(), renewal=True).kind is Reason.NOT_ENROLLED
        cluster.ask(Node())
        assert cluster.refusal(Node(), renewal=True).kind is Reason.NAME_TAKEN

    def test_grants_without_end_revoke_the_oldest_up_to_a_bound(self, cluster: Cluster) -> None:
        node = Node()
        cluster.ask(node)
        first = cluster.register.nodes["node1"].grant.serial
        for number in range(register.MOST_SUPERSEDED):
            cluster.renewed(Node(identity=node.identity), NOW + number * HOURS)
        assert not cluster.register.revocations.entries

        cluster.renewed(Node(identity=node.identity), NOW + 16 * HOURS)

        assert cluster.register.revocations.holds(first)
        assert len(cluster.register.nodes["node1"].superseded) == register.MOST_SUPERSEDED
        entries = (Revoked(serial, unix(NOW + YEAR)) for serial in range(admission.RESERVED - 1))
        cluster.order(admission.revoke_serials(cluster.register, entries, cluster.facts, NOW))
        late = NOW + 40 * HOURS
        assert cluster.refusal(Node(identity=node.identity), late, renewal=True).kind is Reason.TOO_MANY_GRANTS
        for _ in range(register.MOST_SUPERSEDED + 2):
            cluster.renew_master(late)
        cluster.order(admission.revoke(cluster.register, "node1", cluster.facts, late))

    def test_one_node_has_only_so_many_grants_a_day(self, cluster: Cluster) -> None:
        node, other = Node(), Node("node2")
        for each in (node, other):
            cluster.ask(each)
        for number in range(1, register.MOST_GRANTS_A_DAY):
            cluster.renewed(Node(identity=node.identity), NOW + timedelta(minutes=number))
        soon = NOW + timedelta(hours=1)
        granted = cluster.register.nodes["node1"].grant
        again = Node(identity=node.identity)

        for renewal in (False, True):
            refusal = cluster.refusal(again, soon, renewal=renewal)
            assert (refusal.kind, refusal.status) == (Reason.TOO_MANY_GRANTS, 429)
            assert f"hepto node replace node1 {node.fingerprint}" in refusal.detail
        assert cluster.register.nodes["node1"].grant == granted
        cluster.renewed(Node("node2", identity=other.identity), soon)
        for _ in range(register.MOST_GRANTS_A_DAY + 2):
            cluster.renew_master(soon)
        cluster.renewed(again, NOW + timedelta(hours=24, seconds=1))

    def test_an_operator_lets_a_node_with_too_many_grants_begin_anew(self, cluster: Cluster) -> None:
        node = Node()
        cluster.ask(node)
        for _ in range(1, register.MOST_GRANTS_A_DAY):
            cluster.renewed(Node(identity=node.identity))

        cluster.order(admission.replace_node(cluster.register, "node1", node.fingerprint, cluster.facts, NOW))

        assert cluster.ask(Node(identity=node.identity)) is None


def test_the_masters_name_is_pinned_too(cluster: Cluster) -> None:
    with pytest.raises(UserError, match="pinned to another identity"):
        admission.enrol_master(cluster.register, Node("mymaster", Role.FULL).request(), cluster.facts, NOW)

    worker = Node()
    cluster.ask(worker)
    taken = Node("mymaster", Role.FULL, cluster.node.identity, worker.wireguard)
    with pytest.raises(UserError, match="node1 has this WireGuard key"):
        admission.enrol_master(cluster.register, taken.request(), cluster.facts, NOW)

    again = admission.enrol_master(cluster.register, cluster.node.request(), cluster.facts, NOW)
    assert again == cluster.register
    assert Register() != again
