"""What the watcher of the links sees in a frame, against frames written out by hand."""

import json
import os
import sys
from ipaddress import IPv6Address, IPv6Network

import pytest

from hepto.lab import channel
from hepto.lab.capture import Packet, parse
from hepto.lab.client import LabClient
from tests.lab.labs import LIMIT

CLUSTER = IPv6Network("fd2a:9751:6c35::/48")
ETHERNET = "525400000001 525400000002 86dd"
LINK_LOCAL = "fe800000000000000000000000000001"
ALL_NODES = "ff020000000000000000000000000001"
NODE = "fd2a97516c350100000000000000000a"
UNDERLAY = "20010db8000100000000000000000001"


def frame(protocol: int, source: str, destination: str, body: str = "") -> bytes:
    length = len(bytes.fromhex(body))
    return bytes.fromhex(f"{ETHERNET} 60000000 {length:04x} {protocol:02x} ff {source} {destination} {body}")


def test_udp_has_its_ports() -> None:
    packet = parse(frame(17, UNDERLAY, LINK_LOCAL, "1f0c d431 0008 0000"))

    assert packet == Packet(IPv6Address("2001:db8:1::1"), IPv6Address("fe80::1"), 17, (7948, 54321))
    assert packet.kind == "udp/7948"
    assert not packet.inside(CLUSTER)


@pytest.mark.parametrize(("source", "destination"), [(NODE, UNDERLAY), (UNDERLAY, NODE)])
def test_a_cluster_address_is_seen_on_either_side(source: str, destination: str) -> None:
    packet = parse(frame(6, source, destination, "00"))

    assert packet is not None
    assert packet.inside(CLUSTER)
    assert packet.kind == "tcp"


def test_a_neighbour_that_asks_for_a_cluster_address_leaks_it() -> None:
    packet = parse(frame(58, LINK_LOCAL, ALL_NODES, f"87000000 00000000 {NODE}"))

    assert packet is not None
    assert packet.target == IPv6Address("fd2a:9751:6c35:100::a")
    assert packet.inside(CLUSTER)
    assert packet.kind == "icmpv6"


@pytest.mark.parametrize(
    "data",
    [b"", frame(6, NODE, NODE)[:53], frame(6, NODE, NODE).replace(b"\x86\xdd", b"\x08\x06")],
    ids=["empty", "cut", "arp"],
)
def test_what_is_no_whole_ipv6_header_is_nothing(data: bytes) -> None:
    assert parse(data) is None


def test_what_is_cut_behind_the_header_has_neither_ports_nor_target() -> None:
    assert parse(frame(17, NODE, NODE, "1f")) == Packet(
        IPv6Address(bytes.fromhex(NODE)), IPv6Address(bytes.fromhex(NODE)), 17
    )
    neighbour = parse(frame(58, NODE, NODE, "87000000 00000000 fd2a"))
    assert neighbour is not None
    assert neighbour.target is None


INJECT = """
import socket, subprocess, sys
subprocess.run("ip link add port1 type veth peer name host1; ip link set port1 master lab0 up; ip link set host1 up",
               shell=True, check=True)
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
    raw.bind(("host1", 0))
    raw.send(bytes.fromhex(sys.argv[1]))
"""


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_frame_from_one_port_to_another_is_seen_although_the_router_gets_nothing_of_it(made: LabClient) -> None:
    leak = frame(17, NODE, UNDERLAY, "1f0c d431 0008 0000").hex()
    watching = LabClient(made.where)
    number = watching.request("router", (sys.executable, "-m", "hepto.lab.capture", str(CLUSTER), "8"))
    answers = watching.answers(number, LIMIT)
    assert b"listening" in channel.unpack(next(answers))

    made.run("router", sys.executable, "-c", INJECT, leak.replace("525400000001", "525400000009"))
    rest = list(answers)
    watching.close()

    said = b"".join(channel.unpack(answer) for answer in rest if "stream" in answer).decode().splitlines()
    assert json.loads(said[-1])["leaks"] == 1
    assert {"source": "fd2a:9751:6c35:100::a", "ports": [7948, 54321]}.items() <= json.loads(
        next(line for line in said if "source" in line)
    ).items()
    assert rest[-1]["exit"] == 1
