"""What is told of members is plain JSON."""

import json
import random
from ipaddress import IPv4Address, IPv6Address

from hepto.gossip.codec import encode
from hepto.gossip.core import Gossip
from hepto.gossip.messages import Address, Alive
from hepto.gossip.model import Datagram, Started
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.plain import VERSIONS, Plain
from hepto.gossip.report import plain_address, report
from hepto.gossip.settings import Settings

ONE, TWO = Address(bytes(15) + b"\1", 7946), Address(bytes(15) + b"\2", 7946)


def test_a_member_is_told_with_its_history() -> None:
    envelope = PacketEnvelope(b"", None, random_bytes=bytes)
    core = Gossip(Settings(b"one", ONE), envelope, Plain(), random.Random(1))
    core.handle(Started(), 10.0)
    core.handle(Datagram(envelope.seal((encode(Alive(5, b"t\xffo", TWO, b"", VERSIONS)),)), TWO), 12.0)
    core.handle(Datagram(b"\x63", TWO), 13.0)

    found = json.loads(json.dumps(report(core, b"one", 20.0)))

    assert (found["name"], found["now"], found["health"]) == ("one", 20.0, 0)
    assert found["counters"]["unknown-type"] == 1
    own, other = found["members"]
    assert own["address"] == "[::1]:7946"
    history = other.pop("history")
    assert other == {
        "name": "t\\xffo",
        "address": "[::2]:7946",
        "status": "alive",
        "since": 12.0,
        "incarnation": 5,
        "round_trip": None,
    }
    assert [(line["time"], line["what"]) for line in history] == [(12.0, "joined")]
    assert "history" not in report(core, b"one", 20.0, histories=False)["members"][0]


def test_an_ipv4_address_is_told_in_its_mapped_form() -> None:
    text = plain_address(Address(bytes((192, 0, 2, 1)), 1))

    assert IPv6Address(text.removeprefix("[").removesuffix("]:1")).ipv4_mapped == IPv4Address("192.0.2.1")
