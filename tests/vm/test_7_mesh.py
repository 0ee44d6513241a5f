"""A cluster without Kubernetes: how it forms, what a stranger gets, and what it survives. One formation, in order.

`one` is the master and is booted last; `two` names an anchor that is dead before it; `three` comes later, first with a
wrong key.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator
from ipaddress import IPv6Network
from typing import Any

import pytest

from hepto.address import AddressPlan
from hepto.edge.cache import cache_directory
from hepto.lab import boot, spec
from tests.vm import harness
from tests.vm.harness import Node, eventually

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600, func_only=True)]

CLUSTER = "demo"
PLAN = AddressPlan(CLUSTER)
DEAD = "2001:db8:1::dead"
NEW_PREFIX = IPv6Network("2001:db8:7::/64")
BOOT_LIMIT = 200.0
HEAL_LIMIT = 300.0
"""A peer whose endpoint is dead is noticed within three minutes by WireGuard's own timers."""
WRONG_KEY = "f0" * 32

Nodes = dict[str, Node]


@dataclasses.dataclass
class Formed:
    """The nodes, and what `two` said while there was no master."""

    nodes: Nodes
    alone: dict[str, Any]


@pytest.fixture(scope="module")
def formed() -> Iterator[Formed]:
    options = ("hepto.debug=no-kube", f"two:hepto.anchor={DEAD},one.{spec.DOMAIN}")
    lab, key = harness.planned("mesh", nodes=3, options=options)
    lab = dataclasses.replace(lab, nodes=tuple(dataclasses.replace(node, on=node.name == "two") for node in lab.nodes))
    with boot.turn(cache_directory(), lab.emulator.accelerator, harness.Quiet()), harness.running(lab, key) as nodes:
        two = nodes["two"]
        two.connection.wait_for("two", lambda seen: seen["channel"], BOOT_LIMIT)
        alone = eventually(lambda: waits_for(two, "anchor"), "two waits for an anchor", BOOT_LIMIT, two.console)
        two.connection.power("one", "on")
        for name in ("one", "two"):
            nodes[name].wait_ready(BOOT_LIMIT)
        yield Formed(nodes, alone)


@pytest.fixture
def nodes(formed: Formed) -> Nodes:
    return formed.nodes


def waits_for(node: Node, reason: str) -> dict[str, Any]:
    """The node's status, if that is one of the things that it waits for; else nothing."""
    status = node.status()
    return status if reason in [wait["reason"] for wait in status["waits"]] else {}


def live(node: Node) -> set[str]:
    return {name for name, status in node.members().items() if status == "alive"}


def meshed(nodes: Nodes, *names: str) -> bool:
    """Each of them has all the others as peers that are up."""
    return all(
        {name for name, peer in nodes[node].peers().items() if peer["state"] == "up"} >= set(names) - {node}
        for node in names
    )


def test_a_node_without_a_master_says_which_anchors_it_waits_for(formed: Formed) -> None:
    (wait,) = [wait for wait in formed.alone["waits"] if wait["reason"] == "anchor"]

    assert DEAD in wait["subject"]
    assert not formed.alone["authority"], "it has made no CA"
    assert formed.alone["mesh"]["peers"] == []


def test_it_joins_by_the_second_anchor_when_the_master_has_come(nodes: Nodes) -> None:
    one, two = nodes["one"], nodes["two"]
    eventually(lambda: meshed(nodes, "one", "two"), "both are peers", explain=one.status)

    assert live(one) == live(two) == {"one", "two"}
    assert one.status()["authority"] == two.status()["authority"]
    assert harness.all_reach_all([one, two])


def test_a_node_with_a_wrong_key_learns_nothing_and_changes_nothing(nodes: Nodes) -> None:
    one, three = nodes["one"], nodes["three"]
    credential = three.connection.where.node("three").credential("hepto.key")
    right = credential.read_text()
    before = one.peers(), live(one), sum(one.status()["gossip"]["refused"].values())
    credential.write_text(f"io.systemd.credential:hepto.key={WRONG_KEY}")
    try:
        three.connection.power("three", "on")
        three.connection.wait_for("three", lambda seen: seen["channel"], BOOT_LIMIT)
        eventually(lambda: waits_for(three, "anchor"), "three waits for an anchor", BOOT_LIMIT, three.console)
        eventually(
            lambda: sum(one.status()["gossip"]["refused"].values()) > before[2],
            "one counts what it refuses",
            BOOT_LIMIT,
        )
        stranger = three.status()

        assert not stranger["authority"]
        assert stranger["mesh"]["peers"] == []
        assert live(three) == {"three"}
        assert {name: peer["address"] for name, peer in one.peers().items()} == {
            name: peer["address"] for name, peer in before[0].items()
        }
        assert live(one) == before[1]
    finally:
        credential.write_text(right)


def test_another_machine_with_the_right_key_is_let_in(nodes: Nodes) -> None:
    three = nodes["three"]
    three.connection.fault("replace", node="three")
    three.connection.wait_for("three", lambda seen: seen["channel"] and seen["boots"] == 2, BOOT_LIMIT)
    three.wait_ready(BOOT_LIMIT)

    eventually(lambda: meshed(nodes, "one", "two", "three"), "all are peers of all", explain=three.status)
    assert {name: live(node) for name, node in nodes.items()} == {name: set(nodes) for name in nodes}
    assert harness.all_reach_all(list(nodes.values()))


WITHOUT_PEERS = """
import subprocess, sys
from hepto.edge import wireguard
peers = wireguard.read_device("wg0").peers
wireguard.set_peers("wg0", [wireguard.PeerChange(peer.public_key, remove=True) for peer in peers])
subprocess.run(["ping6", "-c", "2", "-W", "1", sys.argv[1]], check=False)
"""


def test_no_cluster_address_is_ever_seen_in_clear(nodes: Nodes) -> None:
    one, two = nodes["one"], nodes["two"]
    unknown = str(PLAN.node("nobody"))

    with harness.leaks(one.connection, CLUSTER) as seen:
        assert one.reaches(two.mesh_address())
        assert not one.reaches(unknown), "a node that does not exist"
        removed = one.run("/usr/bin/python3", "-I", "-c", WITHOUT_PEERS, two.mesh_address())

    assert removed.status == 0, removed.stderr.decode()
    assert seen["packets"] == []
    assert seen["seen"].get("udp/7948"), "WireGuard itself was seen"
    eventually(lambda: meshed(nodes, "one", "two", "three"), "all are peers again", HEAL_LIMIT, one.peers)
    assert eventually(lambda: harness.all_reach_all(list(nodes.values())), "they reach each other again", HEAL_LIMIT)


def test_a_node_that_was_reset_is_back_with_what_it_knew(nodes: Nodes) -> None:
    two = nodes["two"]
    authority, boots = two.status()["authority"], two.view()["boots"]
    two.connection.power("two", "reset")
    two.connection.wait_for("two", lambda found: found["channel"] and found["boots"] == boots + 1, BOOT_LIMIT)
    two.wait_ready(BOOT_LIMIT)

    eventually(lambda: meshed(nodes, "one", "two", "three"), "all are peers again", HEAL_LIMIT, two.peers)
    assert two.status()["authority"] == authority
    assert harness.all_reach_all(list(nodes.values()))


ECHO = """
import socket, struct, subprocess, sys
address, gateway, prefix = sys.argv[1:]
subprocess.run(["ip", "-6", "route", "replace", prefix, "via", gateway, "dev", "lab0"], check=True)
answered = 0
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
    raw.settimeout(1)
    raw.setsockopt(socket.IPPROTO_ICMPV6, 1, b"\\xff" * 16 + b"\\xfd" + b"\\xff" * 15)  # echo replies only
    for number in range(3):
        raw.sendto(struct.pack("!BBHHH", 128, 0, 0, 7, number) + b"x" * 8, (address, 0))
        try:
            answered += raw.recvfrom(200)[1][0] == address
        except TimeoutError:
            pass
for port in (7946, 7947):
    with socket.socket(socket.AF_INET6) as tcp:
        tcp.settimeout(2)
        answered += tcp.connect_ex((address, port)) == 0
subprocess.run(["ip", "-6", "route", "del", prefix], check=True)
print(answered)
"""


@pytest.mark.parametrize(("mesh", "expected"), [(False, 5), (True, 0)], ids=["underlay", "mesh"])
def test_a_neighbour_that_sends_to_the_mesh_address_gets_nothing(nodes: Nodes, mesh: bool, expected: int) -> None:
    """The same packets to the node's underlay address are answered, so it is not that they do not arrive."""
    one = nodes["one"]
    underlay = one.view()["address"]
    gateway = "fe80::" + underlay.split(":", 4)[4]
    target, prefix = (one.mesh_address(), str(PLAN.prefix)) if mesh else (underlay, "2001:db8:9::/64")

    done = one.connection.run("router", sys.executable, "-c", ECHO, target, gateway, prefix, timeout=60)

    assert done.status == 0, done.stderr.decode()
    assert int(done.text) == expected


def in_new_prefix(nodes: Nodes) -> bool:
    found = [peer["endpoint"] for node in nodes.values() for peer in node.peers().values()]
    return len(found) == 6 and all(str(NEW_PREFIX.network_address)[:-1] in str(endpoint) for endpoint in found)


def test_all_addresses_change_at_once_and_nothing_is_restarted(nodes: Nodes) -> None:
    before = {name: node.service_pids() for name, node in nodes.items()}
    nodes["one"].connection.fault("prefix", bridge="lab0", prefix=str(NEW_PREFIX))

    eventually(lambda: in_new_prefix(nodes), "all endpoints are new", HEAL_LIMIT, lambda: nodes["one"].peers())
    eventually(lambda: meshed(nodes, *nodes), "all are peers again", HEAL_LIMIT, lambda: nodes["one"].peers())
    assert harness.all_reach_all(list(nodes.values()))
    assert {name: live(node) for name, node in nodes.items()} == {name: set(nodes) for name in nodes}
    assert {name: node.service_pids() for name, node in nodes.items()} == before


def test_a_name_that_is_taken_is_refused_with_what_to_do(nodes: Nodes) -> None:
    one, three = nodes["one"], nodes["three"]
    peer = one.peers()["three"]
    boots = three.view()["boots"]
    three.connection.fault("replace", node="three")
    three.connection.wait_for("three", lambda seen: seen["channel"] and seen["boots"] == boots + 1, BOOT_LIMIT)

    status = eventually(lambda: waits_for(three, "master"), "three is told why", BOOT_LIMIT, three.console)
    eventually(
        lambda: "hepto node" in json.dumps(three.status()["waits"]), "it says what to do", BOOT_LIMIT, three.console
    )

    assert not status["ready"]
    assert three.status()["mesh"]["peers"] == []
    assert one.peers()["three"]["address"] == peer["address"]
    assert meshed(nodes, "one", "two")
