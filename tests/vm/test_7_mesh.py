"""A cluster without Kubernetes: how it forms, what a stranger gets, and what it survives. One formation, in order.

`one` is the master and is booted last; `two` names an anchor that is dead before it; `three` comes later, first with a
wrong key.
"""

import dataclasses
import io
import json
import sys
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from hepto.address import AddressPlan
from hepto.edge.cache import cache_directory
from hepto.lab import boot, spec
from hepto.lab.client import LabClient
from tests.vm import harness, outside
from tests.vm.harness import LIMIT, Node, eventually, has_the_time, live

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600, func_only=True)]

CLUSTER = "demo"
PLAN = AddressPlan(CLUSTER)
DEAD = "2001:db8:1::dead"
NEW_PREFIX = IPv6Network("2001:db8:7::/64")
NARROW_PREFIX = "2001:db8:8::/64"
BOOT_LIMIT = 200.0
HEAL_LIMIT = 300.0
"""A peer whose endpoint is dead is noticed within three minutes by WireGuard's own timers."""
WRONG_KEY = "f0" * 32

Nodes = dict[str, Node]


@dataclasses.dataclass
class Formed:
    """The nodes, what `two` said while there was no master, and the operator's SSH key."""

    nodes: Nodes
    alone: dict[str, Any]
    operator: Path


@pytest.fixture(scope="module")
def formed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Formed]:
    operator = outside.make_key(tmp_path_factory.mktemp("operator"))
    admin = operator.with_suffix(".pub").read_text().strip()
    options = ("hepto.debug=no-kube", f"two:hepto.anchor={DEAD},one.{spec.DOMAIN}")
    lab, key = harness.planned("mesh", nodes=3, options=options, admin=admin)
    lab = dataclasses.replace(lab, nodes=tuple(dataclasses.replace(node, on=node.name == "two") for node in lab.nodes))
    with boot.turn(cache_directory(), lab.emulator.accelerator, harness.Quiet()), harness.running(lab, key) as nodes:
        two = nodes["two"]
        two.connection.wait_for("two", lambda seen: seen["channel"], BOOT_LIMIT)
        alone = eventually(lambda: waits_for(two, "anchor"), "two waits for an anchor", BOOT_LIMIT, two.console)
        two.connection.power("one", "on")
        for name in ("one", "two"):
            nodes[name].wait_ready(BOOT_LIMIT)
        yield Formed(nodes, alone, operator)


@pytest.fixture
def nodes(formed: Formed) -> Nodes:
    return formed.nodes


def waits_for(node: Node, reason: str) -> dict[str, Any]:
    """The node's status, if that is one of the things that it waits for; else nothing."""
    status = node.status()
    return status if reason in [wait["reason"] for wait in status["waits"]] else {}


def meshed(nodes: Nodes, *names: str) -> bool:
    """Each of them has all the others as peers that are up."""
    return all(
        {name for name, peer in nodes[node].peers().items() if peer["state"] == "up"} >= set(names) - {node}
        for node in names
    )


def test_a_node_without_a_master_says_which_anchors_it_waits_for(formed: Formed) -> None:
    subjects = [wait["subject"] for wait in formed.alone["waits"] if wait["reason"] == "anchor"]

    assert any(DEAD in subject for subject in subjects), subjects
    assert not formed.alone["authority"], "it has made no CA"
    assert formed.alone["mesh"]["peers"] == []


def test_it_joins_by_the_second_anchor_when_the_master_has_come(nodes: Nodes) -> None:
    one, two = nodes["one"], nodes["two"]
    eventually(lambda: meshed(nodes, "one", "two"), "both are peers", explain=one.status)

    assert live(one) == live(two) == {"one", "two"}
    assert one.status()["authority"] == two.status()["authority"]
    harness.reach_each_other([one, two])


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


def test_another_machine_with_the_right_key_is_let_in_whatever_its_clock_says(nodes: Nodes) -> None:
    three = nodes["three"]
    three.connection.fault("clock", node="three", time="1970-01-01")
    three.connection.fault("replace", node="three")
    three.connection.wait_for("three", lambda seen: seen["channel"] and seen["boots"] == 2, BOOT_LIMIT)
    three.wait_ready(BOOT_LIMIT)

    eventually(lambda: meshed(nodes, "one", "two", "three"), "all are peers of all", explain=three.status)
    assert {name: live(node) for name, node in nodes.items()} == {name: set(nodes) for name in nodes}
    harness.reach_each_other(nodes.values())
    assert has_the_time(three)


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
    harness.reach_each_other(nodes.values(), HEAL_LIMIT)


MESH_KEYS = """
from hepto.edge import wireguard
found = wireguard.read_device("wg0")
print(found.public_key.hex(), *(peer.public_key.hex() for peer in found.peers))
"""


def mesh_keys(node: Node) -> list[str]:
    """Its own public key, as the kernel has it, then its peers'."""
    return node.python(MESH_KEYS).split()


def keys_are_known(nodes: Nodes) -> bool:
    """Everybody's peers are the keys that all others have now. A new key needs a grant, which then goes round."""
    found = [mesh_keys(node) for node in nodes.values()]
    own = {keys[0] for keys in found}
    return all(set(keys) == own for keys in found)


@pytest.mark.parametrize("clock", ["2099-06-01", pytest.param("now", marks=pytest.mark.long)])
def test_a_node_is_back_with_what_it_knew_after_a_power_cut_whatever_its_clock_says(nodes: Nodes, clock: str) -> None:
    """A handshake of 2099 that its peers have seen would be the last that they take from the same key: it gets another.

    QEMU's clock ends in 2106, when its seconds no longer fit 32 bits: 2150 is shown as 2014.
    """
    two = nodes["two"]
    authority, boots, key = two.status()["authority"], two.view()["boots"], mesh_keys(two)[0]
    two.connection.power("two", "off")
    two.connection.wait_for("two", lambda found: not found["on"], BOOT_LIMIT)
    two.connection.fault("clock", node="two", time=clock)
    two.connection.power("two", "on")
    two.connection.wait_for("two", lambda found: found["channel"] and found["boots"] == boots + 1, BOOT_LIMIT)
    two.wait_ready(BOOT_LIMIT)

    eventually(partial(has_the_time, two), "it has the time", explain=two.status)
    if clock != "now":
        eventually(lambda: mesh_keys(two)[0] != key, "its mesh key is another one", explain=two.status)
    eventually(partial(keys_are_known, nodes), "all have each other's keys", HEAL_LIMIT, two.status)
    eventually(lambda: meshed(nodes, "one", "two", "three"), "all are peers again", HEAL_LIMIT, two.peers)
    harness.reach_each_other(nodes.values(), HEAL_LIMIT)
    assert two.status()["authority"] == authority


PROBE = """
mount -t tracefs tracefs /sys/kernel/tracing && cd /sys/kernel/tracing || exit 1
echo 'p:hepto/set wg_set_device' > kprobe_events
echo 1 > events/hepto/set/enable
"""
WRITES = "grep -c wg_set_device /sys/kernel/tracing/trace; true"
PINGS = 100


def test_an_agent_that_is_started_anew_writes_nothing_and_loses_no_ping(nodes: Nodes) -> None:
    """The kernel itself counts what is written to the device: a probe on the function behind all changes."""
    one, two = nodes["one"], nodes["two"]
    pid = two.services()["agent"]["pid"]
    two.sh(PROBE)
    ping = ("/usr/bin/ping6", "-i", "0.2", "-c", str(PINGS), "-W", "5", two.mesh_address())
    with LabClient(one.connection.where) as pinging:
        number = pinging.request("one", ping)
        two.sh(f"kill -9 {pid}")
        eventually(lambda: two.services()["agent"]["pid"] not in (0, pid), "another agent")
        eventually(lambda: two.status()["ready"] and meshed(nodes, *nodes), "it is ready", BOOT_LIMIT, two.status)
        said = io.BytesIO()
        pinging.copy(number, said, said, LIMIT)

    assert f"{PINGS} packets transmitted, {PINGS} packets received" in said.getvalue().decode()
    assert two.sh(WRITES).strip() == "0"
    changed = two.run("/usr/bin/python3", "-I", "-c", WITHOUT_PEERS, one.mesh_address())
    assert changed.status == 0, changed.stderr.decode()
    assert two.sh(WRITES).strip() != "0", "a change is seen by the probe"
    eventually(lambda: meshed(nodes, *nodes), "all are peers again", HEAL_LIMIT, two.peers)


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
    harness.reach_each_other(nodes.values())
    assert {name: live(node) for name, node in nodes.items()} == {name: set(nodes) for name in nodes}
    assert {name: node.service_pids() for name, node in nodes.items()} == before


def reached_whole(one: Node, other: Node, size: int) -> bool:
    """An echo request of `size` bytes in all comes back, maybe at the second try: the first learns the path."""
    return one.reaches(other.mesh_address(), "-s", str(size - 48))


def narrow(one: Node, other: str, mtu: int | None, reason: str) -> bool:
    peer = one.peers()[other]
    return peer["state"] == "up" and peer["mtu"] == mtu and reason in peer["reason"]


def test_a_node_that_moves_behind_a_narrow_path_is_reached_with_packets_that_fit(nodes: Nodes) -> None:
    """The router drops what is longer than 1400 bytes and tells nobody; 1312 is the multiple of 16 that fits."""
    one, three = nodes["one"], nodes["three"]
    before = {name: node.service_pids() for name, node in nodes.items()}
    one.connection.fault("mtu", mtu=1400, silent=True)
    one.connection.fault("move", node="three", bridge="lab1")

    for node, other in ((one, "three"), (three, "one")):
        look = partial(narrow, node, other, 1312, "the path carries no more")
        eventually(look, f"{node.name} has measured the path to {other}", HEAL_LIMIT, node.peers)
        assert reached_whole(node, nodes[other], 1400)
    assert one.peers()["two"]["mtu"] == 1420, "the path on the same link is as wide as before"
    assert {name: node.service_pids() for name, node in nodes.items()} == before


@pytest.mark.long  # a minute and a half
def test_a_path_too_narrow_for_the_mesh_is_used_in_fragments_and_named(nodes: Nodes) -> None:
    """1300 bytes; the router says so. A new prefix gives new endpoints, so the path is measured again."""
    one, three = nodes["one"], nodes["three"]
    one.connection.fault("mtu", mtu=1300, silent=False)
    one.connection.fault("prefix", bridge="lab1", prefix=NARROW_PREFIX)

    for node, other in ((one, "three"), (three, "one")):
        look = partial(narrow, node, other, 1280, "fragments")
        eventually(look, f"{node.name} has measured the path to {other}", HEAL_LIMIT, node.peers)
        assert reached_whole(node, nodes[other], 1400)


def test_a_node_that_moves_back_is_reached_with_packets_as_wide_as_before(nodes: Nodes) -> None:
    one = nodes["one"]
    one.connection.fault("mtu", mtu=1500, silent=False)
    one.connection.fault("move", node="three", bridge="lab0")

    eventually(lambda: narrow(one, "three", 1420, ""), "the wide path is used again", HEAL_LIMIT, one.peers)
    harness.reach_each_other(nodes.values())


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


def test_a_revoked_node_is_out_within_seconds_and_the_gossip_key_is_another(formed: Formed) -> None:
    one, two = formed.nodes["one"], formed.nodes["two"]
    keys = f"/var/lib/hepto/{CLUSTER}/one/pki/keyring.json"
    before = one.sh(f"sha256sum < {keys} || true")
    outside.order(one, formed.operator, "revoke", "two")

    eventually(lambda: "two" not in one.peers(), "one has dropped it", BOOT_LIMIT, one.peers)
    assert not two.reaches(one.mesh_address())
    eventually(lambda: one.sh(f"sha256sum < {keys}") != before, "the gossip key is another", BOOT_LIMIT)
    with pytest.raises(AssertionError, match="does not accept the key"):
        outside.order(one, formed.operator, "list")
    eventually(lambda: not two.status()["ready"], "two says that it is out", BOOT_LIMIT, two.status)
