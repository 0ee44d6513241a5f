"""What networks and clocks do to nodes that run: cables are pulled, frames are lost one way, clocks jump.

One lab without Kubernetes, in order. `one` is the master and told of an NTP server that begins to answer near the end;
`two` has its time from `one`. Whatever happens, no service is started anew.
"""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hepto.lab.spec import OUTSIDE
from tests.vm import harness
from tests.vm.harness import Node, eventually, has_the_time, live, throughout

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600, func_only=True)]

BOOT_LIMIT = 300.0
HEAL_LIMIT = 300.0
"""A session of the mesh that has become useless is noticed within three minutes by WireGuard's own timers."""
FLAPS = 5
QUIET_SECONDS = 15.0
"""In which nobody may be called dead: it takes four after a suspicion."""
HOURS = timedelta(hours=3).total_seconds()
YEARS = timedelta(days=3653).total_seconds()
"""More than a CA lives."""
FEWER_YEARS = timedelta(days=1000).total_seconds()
"""A time that can be."""

Nodes = dict[str, Node]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    options = ("hepto.debug=no-kube", f"one:hepto.ntp={OUTSIDE}")
    with harness.several(*harness.planned("faults", nodes=2, options=options), BOOT_LIMIT) as nodes:
        eventually(lambda: together(nodes), "both are together", HEAL_LIMIT, nodes["one"].status)
        yield nodes


# --- what is to hold


def together(nodes: Nodes) -> bool:
    """Each is ready, alive to all, at the address that it began with, and reaches the others through the mesh."""
    found = {name: node.status() for name, node in nodes.items()}
    return (
        all(
            status["ready"]
            and nodes[name].view()["address"] in status["network"]["addresses"]
            and all(peer["state"] == "up" for peer in status["mesh"]["peers"])
            for name, status in found.items()
        )
        and all(live(node) == nodes.keys() for node in nodes.values())
        and harness.all_reach_all(nodes.values())
    )


def lives(nodes: Nodes) -> dict[str, Any]:
    """By node: how often it has booted, its cluster, and the processes of its services."""
    return {
        name: (node.view()["boots"], node.status()["authority"], node.service_pids()) for name, node in nodes.items()
    }


def certificates(node: Node) -> dict[str, str]:
    """Digests of the files with its keys and certificates, by name."""
    lines = node.sh(f"cd {node.directory}/pki && sha256sum *.pem").splitlines()
    return {name: digest for digest, name in map(str.split, lines)}


@contextlib.contextmanager
def outlived(nodes: Nodes) -> Iterator[None]:
    """Nothing is started anew in the block, no certificate is issued, and the nodes come together by themselves."""

    def look() -> object:
        return lives(nodes), {name: certificates(node) for name, node in nodes.items()}

    before = look()
    yield
    eventually(lambda: together(nodes), "they are together again", HEAL_LIMIT, lambda: explain(nodes))
    assert look() == before


def explain(nodes: Nodes) -> str:
    return json.dumps({name: (node.members(), node.status()) for name, node in nodes.items()}, indent=1)


def failures(nodes: Nodes) -> dict[tuple[str, str], float]:
    """Who has called whom dead, and when the last time."""
    return {
        (name, member["name"]): max(
            (line["time"] for line in member["history"] if line["what"] == "failed"), default=0.0
        )
        for name, node in nodes.items()
        for member in json.loads(node.run("/usr/bin/hepto", "gossip", "--json").stdout)["members"]
    }


# --- cables


def carrier(node: Node, change: str) -> int:
    """How often the kernel has seen its carrier go `down` or come `up`."""
    return int(node.sh(f"cat /sys/class/net/eth0/carrier_{change}_count"))


def cable(node: Node, change: str) -> None:
    """Pull or plug in; the node has noticed."""
    before = carrier(node, change)
    node.connection.fault("link", node=node.name, up=change == "up")
    eventually(lambda: carrier(node, change) > before, f"the carrier of {node.name} goes {change}")


def test_a_cable_that_flaps_costs_nothing_that_lasts(nodes: Nodes) -> None:
    two = nodes["two"]
    with outlived(nodes):
        for _ in range(FLAPS):
            cable(two, "down")
            cable(two, "up")


def test_a_node_whose_cable_is_out_says_so_and_is_back_when_it_is_in(nodes: Nodes) -> None:
    one, two = nodes["one"], nodes["two"]
    with outlived(nodes):
        cable(two, "down")
        eventually(lambda: live(one) == {"one"}, "one misses two", explain=one.members)
        eventually(lambda: live(two) == {"two"}, "two misses one", explain=two.members)
        status = two.status()

        assert status["waits"][0]["reason"] == "carrier"
        assert status["line"].startswith("waiting for carrier")
        assert not one.status()["waits"], "nothing is wrong with one"
        assert not one.reaches(two.mesh_address())
        cable(two, "up")


# --- losses


def lost(node: Node) -> int:
    """How many frames the lab has dropped by its losses of now."""
    rules = json.loads(node.connection.run("router", "nft", "--json", "list", "table", "bridge", "losses").stdout)
    expressions = (word for item in rules["nftables"] if "rule" in item for word in item["rule"]["expr"])
    return sum(word["counter"]["packets"] for word in expressions if "counter" in word)


def echo_requests(node: Node) -> int:
    """How many have reached it."""
    return int(node.sh("awk '$1 == \"Icmp6InEchos\" {print $2}' /proc/net/snmp6"))


@contextlib.contextmanager
def losing(nodes: Nodes, percent: int) -> Iterator[None]:
    """So many of the frames from one to two."""
    one = nodes["one"]
    one.connection.fault("loss", node="one", to="two", percent=percent)
    try:
        yield
        assert lost(one) > 0
    finally:
        one.connection.fault("loss", node="one", to="two", percent=0)


def test_nodes_of_which_one_is_deaf_to_the_other_find_together_again(nodes: Nodes) -> None:
    """What two sends arrives, and what one answers does not."""
    one, two = nodes["one"], nodes["two"]
    with outlived(nodes), losing(nodes, 100):
        before = echo_requests(one)
        assert not two.reaches(one.view()["address"])
        assert echo_requests(one) > before
        eventually(lambda: live(one) == {"one"}, "one gets no answer from two", explain=one.members)
        eventually(lambda: live(two) == {"two"}, "two hears nothing from one", explain=two.members)


@pytest.mark.long  # whether a frame is lost is chance: a short look shows little
def test_a_node_that_is_heard_four_times_of_five_is_never_called_dead(nodes: Nodes) -> None:
    with outlived(nodes):
        before = failures(nodes)
        with losing(nodes, 20):
            throughout(lambda: failures(nodes) == before, "nobody is called dead", QUIET_SECONDS)


# --- clocks

JUMP = """
import sys, time
wanted = time.time() + float(sys.argv[1])
time.clock_settime(time.CLOCK_REALTIME, wanted)
print(time.time() - wanted)
"""
DATES = """
import pathlib, sys
from cryptography import x509
data = pathlib.Path(sys.argv[1], "pki/node-api.pem").read_bytes()
print(x509.load_pem_x509_certificate(data).not_valid_before_utc.timestamp())
"""
NTP = """
import socket, struct, time
def stamp():
    return struct.pack("!Q", int((time.time() + 2208988800) * 2**32))  # RFC 5905: since 1900
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
    server.bind(("::", 123))
    while True:
        asked, client = server.recvfrom(1024)
        heard = stamp()
        head = struct.pack("!BBbbII4s", 4 << 3 | 4, 1, 6, -20, 0, 0, b"LAB")  # version 4, server; stratum 1
        server.sendto(head + heard + asked[40:48] + heard + stamp(), client)
"""


def jump(node: Node, seconds: float) -> None:
    """Set its clock so much forward or back; it has been so."""
    assert abs(float(node.python(JUMP, str(seconds)))) < 60.0


def clock(node: Node) -> str:
    """What its time is worth."""
    return str(node.status()["clock"])


def test_a_master_whose_clock_nobody_can_put_right_says_so_and_goes_on(nodes: Nodes) -> None:
    """So far that not even the CA is valid: nothing can be issued, and nothing is ended for that."""
    one, two = nodes["one"], nodes["two"]
    before = lives(nodes), failures(nodes)
    assert clock(one) == "plausible"
    jump(one, YEARS)
    eventually(lambda: "the clock shows" in one.status()["line"], "one says what is wrong", explain=one.status)

    assert clock(one) == "floor"
    assert abs(int(one.sh("date +%s")) - time.time() - YEARS) < 3600.0, "nobody could put it right"
    throughout(lambda: live(one) == live(two) == nodes.keys(), "they go on", QUIET_SECONDS)
    assert harness.all_reach_all(nodes.values())
    assert (lives(nodes), failures(nodes)) == before


def issued(node: Node) -> float:
    """Since when the certificate of its API is valid (Unix seconds)."""
    return float(node.python(DATES, node.directory))


def begin_ntp(one: Node) -> None:
    """The server lives as long as the lab."""
    one.connection.request("outside", (sys.executable, "-c", NTP))
    one.sh("hepto service restart chrony")  # it asks a server that was silent for minutes only now and then
    eventually(lambda: clock(one) == "synchronised" and has_the_time(one), "NTP has set it", explain=one.status)


def others(lived: dict[str, Any]) -> dict[str, Any]:
    """All services but the one that the test itself restarts."""
    return {
        name: (*found, {key: pid for key, pid in pids.items() if key != "chrony"})
        for name, (*found, pids) in lived.items()
    }


def test_everything_is_in_order_again_when_ntp_has_put_the_clock_right(nodes: Nodes) -> None:
    """The master has signed its own certificates in a future that could be; now all are of today."""
    one, two = nodes["one"], nodes["two"]
    before, kept = others(lives(nodes)), certificates(two)
    jump(one, FEWER_YEARS - YEARS)
    eventually(lambda: issued(one) > time.time() + FEWER_YEARS / 2, "it has certificates of then", explain=one.status)
    begin_ntp(one)
    eventually(lambda: together(nodes), "they are together", HEAL_LIMIT, lambda: explain(nodes))
    assert issued(one) < time.time()

    two.sh(f"kill -{signal.SIGHUP} {two.service_pids()['agent']}")
    eventually(lambda: certificates(two).items().isdisjoint(kept.items()), "two gets others", explain=two.status)
    eventually(lambda: together(nodes), "they are together", HEAL_LIMIT, lambda: explain(nodes))
    assert others(lives(nodes)) == before


@pytest.mark.long  # the two before it have clocks that jump as well
@pytest.mark.parametrize("seconds", [pytest.param(HOURS, id="hours"), pytest.param(-YEARS, id="years")])
def test_clocks_that_jump_are_put_right(nodes: Nodes, seconds: float) -> None:
    """One has its time from NTP, and goes there; two has its time from one, and goes the other way."""
    one, two = nodes["one"], nodes["two"]
    if clock(one) != "synchronised":  # this test runs alone
        begin_ntp(one)
    eventually(lambda: clock(two) == "peers", "two has its time from one", explain=two.status)
    with outlived(nodes):
        before = failures(nodes)
        jump(one, seconds)
        jump(two, -seconds)
        eventually(lambda: has_the_time(one), "one has the time", explain=one.status)
        eventually(lambda: has_the_time(two), "two has the time", explain=two.status)
        assert failures(nodes) == before
