"""The bytes of netlink, compared with pyroute2's, which is not on the node."""

import struct
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hepto.edge import netlink, route
from hepto.edge.netlink import Message, attribute, attribute_list, attributes, nested


def body(message: object) -> bytes:
    """What pyroute2 makes of it, without the header."""
    message.encode()  # type: ignore[attr-defined] # pyroute2 has no types
    return bytes(message.data)[16:]  # type: ignore[attr-defined]


def test_a_link_of_pyroute2_is_read() -> None:
    message = ifinfmsg()
    message["index"], message["flags"], message["ifi_type"] = 7, 0x1 | 0x10000, 1
    message["attrs"] = [
        ["IFLA_IFNAME", "eth7"],
        ["IFLA_MTU", 1400],
        ["IFLA_CARRIER", 1],
        ["IFLA_ADDRESS", "02:00:00:00:00:07"],
        ["IFLA_LINKINFO", {"attrs": [["IFLA_INFO_KIND", "macvlan"]]}],
    ]

    found = route.read_link(Message(16, 0, 1, body(message)))

    assert found == route.Link(7, "eth7", True, True, 1400, True, "macvlan", bytes.fromhex("020000000007"))


def test_a_link_that_is_off_has_no_carrier_whatever_its_driver_says() -> None:
    message = ifinfmsg()
    message["index"] = 7
    message["attrs"] = [["IFLA_IFNAME", "eth7"], ["IFLA_CARRIER", 1]]

    found = route.read_link(Message(16, 0, 1, body(message)))

    assert (found.up, found.carrier) == (False, False)


def test_a_route_of_pyroute2_is_read() -> None:
    message = rtmsg()
    message["family"], message["dst_len"] = 10, 0
    message["attrs"] = [["RTA_OIF", 3], ["RTA_GATEWAY", "fe80::1"], ["RTA_PRIORITY", 1024]]

    found = route.read_route(Message(24, 0, 1, body(message)))

    assert (str(found.destination), found.index, str(found.gateway), found.metric) == ("::/0", 3, "fe80::1", 1024)


class Recorder:
    """In place of a socket: what would be sent."""

    def __init__(self) -> None:
        self.body = b""
        self.kind = 0

    def request(self, what: str, kind: int, body: bytes, flags: int = 0) -> None:
        self.kind, self.body = kind, body


def _read_back(kind: Callable[[bytes], object], data: bytes) -> dict[str, object]:
    message = kind(struct.pack("=LHHLL", 16 + len(data), 0, 0, 0, 0) + data)
    message.decode()  # type: ignore[attr-defined] # pyroute2 has no types
    return dict(message["attrs"]) | {key: message[key] for key in message if key != "attrs"}  # type: ignore[index, attr-defined]


def test_pyroute2_reads_the_address_that_is_asked_for() -> None:
    recorder = Recorder()
    route.add_address(recorder, 4, IPv6Interface("2001:db8::5/64"), detect=False)  # type: ignore[arg-type] # a recorder

    found = _read_back(ifaddrmsg, recorder.body)

    assert (found["index"], found["prefixlen"], found["IFA_LOCAL"]) == (4, 64, "2001:db8::5")
    assert found["IFA_FLAGS"] == 0x82


@pytest.mark.parametrize("index", [None, 5])
def test_pyroute2_reads_the_route_that_is_asked_for(index: int | None) -> None:
    recorder = Recorder()
    source = None if index is None else IPv6Address("fd00::1")
    wanted = route.Route(IPv6Network("fd00:1::/48"), index, source=source)
    route.add_route(recorder, wanted)  # type: ignore[arg-type] # a recorder

    found = _read_back(rtmsg, recorder.body)

    assert (found["RTA_DST"], found["dst_len"], found["table"]) == ("fd00:1::", 48, 254)
    assert found["type"] == (7 if index is None else 1)
    assert (found.get("RTA_OIF"), found.get("RTA_PREFSRC")) == (index, None if source is None else str(source))


def test_pyroute2_reads_the_link_that_is_asked_for() -> None:
    recorder = Recorder()
    route.add_link(recorder, "wg0", "wireguard", 1420)  # type: ignore[arg-type] # a recorder

    found = _read_back(ifinfmsg, recorder.body)

    assert (found["IFLA_IFNAME"], found["IFLA_MTU"]) == ("wg0", 1420)
    assert "wireguard" in str(found["IFLA_LINKINFO"])


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40))))
def test_attributes_survive_the_way_there_and_back(items: list[tuple[int, bytes]]) -> None:
    data = b"".join(attribute(kind, payload) for kind, payload in items)

    assert list(attribute_list(data)) == items
    assert attributes(nested(1, data))[1] == data


@given(st.binary(max_size=200))
def test_any_bytes_end_the_reading_and_raise_nothing(data: bytes) -> None:
    for message in netlink.decode(data):
        dict(attribute_list(message.body))
    dict(attribute_list(data))


def test_a_refusal_carries_the_kernel_s_words() -> None:
    words = struct.pack("=i", -17) + bytes(16) + attribute(netlink.NLMSGERR_ATTR_MSG, b"already there\0")

    assert netlink.refusal(Message(2, netlink.NLM_F_ACK_TLVS, 1, words)) == (17, "already there")
    assert netlink.refusal(Message(2, 0, 1, bytes(4))) == (0, "")
