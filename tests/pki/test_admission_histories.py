"""What must hold of the register whatever nodes and operators do, in any order."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import UserError
from hepto.pki import admission
from hepto.pki.reasons import PkiError
from tests.pki.example import NOW, Cluster, Node, unix

NODES = tuple(Node(f"node{number}") for number in range(3))
ACTIONS = ("join", "renew", "admit", "forget", "revoke", "replace")
steps = st.tuples(
    st.sampled_from(ACTIONS), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(-7200, 200 * 86400)
)


@given(st.booleans(), st.lists(steps, max_size=25))
def test_no_history_breaks_what_must_hold(by_key: bool, history: list[tuple[str, int, int, int, int]]) -> None:
    """Whoever asks for what, in any order, under any names and with any of three identities and WireGuard keys."""
    cluster, now = Cluster("key" if by_key else "operator"), NOW
    denied: set[bytes] = set()
    for action, name, identity, wireguard, seconds in history:
        before, now = cluster.register, max(NOW, now + timedelta(seconds=seconds))
        node = Node(NODES[name].name, identity=NODES[identity].identity, wireguard=NODES[wireguard].wireguard)
        try:
            act(cluster, action, node, now)
        except (PkiError, UserError):
            assert cluster.register == before
        after = cluster.register
        if action == "revoke" and after != before:
            denied.add(before.nodes[node.name].grant.identity)

        grants = [entry.grant for entry in after.nodes.values()]
        for values in ([g.identity for g in grants], [g.wireguard for g in grants], [g.serial for g in grants]):
            assert len(values) == len(set(values))
        assert not {granted.identity for granted in grants} & denied
        assert not any(after.revocations.holds(granted.serial) for granted in grants)
        assert after.revocations.version >= before.revocations.version
        assert after.serial >= before.serial
        kept = {entry for entry in before.revocations.entries if entry.not_after >= unix(now)}
        assert kept <= set(after.revocations.entries)
        for gone in before.nodes.keys() - after.nodes.keys():
            serials = {entry for entry in before.nodes[gone].serials if entry.not_after >= unix(now)}
            assert serials <= set(after.revocations.entries)


def act(cluster: Cluster, action: str, node: Node, now: datetime) -> None:
    register, facts = cluster.register, cluster.facts
    match action:
        case "join":
            cluster.ask(node, now)
        case "renew":
            cluster.renewed(node, now)
        case "admit":
            cluster.order(admission.admit(register, node.fingerprint))
        case "forget":
            cluster.order(admission.forget(register, node.name, facts, now))
        case "revoke":
            cluster.order(admission.revoke(register, node.name, facts, now))
        case _:
            cluster.order(admission.replace_node(register, node.name, node.fingerprint, facts, now))
