"""Probes of the path MTU: sent whatever the route says, never in fragments, and only our own answers are seen."""

import select
import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv6Address

import pytest

from hepto.edge import netlink, route
from hepto.edge.echo import Echo
from tests.kernel.net.world import ip, isolated, namespace, settle, variable

IPV6_RECVERR = 25  # include/uapi/linux/in6.h
NEAR, FAR = IPv6Address("fd00::1"), IPv6Address("fd00::2")


def answers(echo: Echo, seconds: float) -> Iterator[tuple[IPv6Address, int]]:
    if select.select([echo], [], [], seconds)[0]:
        yield from echo.receive()


def world() -> None:
    ip("link", "set", "lo", "up")
    namespace("far", "u0", "eth0", f"{FAR}/64")
    ip("address", "add", f"{NEAR}/64", "dev", "u0", "nodad")
    ip("link", "set", "u0", "up")
    settle(("", "u0"), ("far", "eth0"))


@isolated
def test_a_probe_passes_a_route_with_a_lower_mtu_but_not_a_smaller_path() -> None:
    world()
    with closing(Echo("u0", NEAR)) as echo:
        ip("route", "add", f"{FAR}/128", "dev", "u0", "mtu", "lock", "1280")
        echo.send(FAR, 7, 1500)
        assert list(answers(echo, 5)) == [(FAR, 7)]
        with pytest.raises(OSError, match="too long"):
            echo.send(FAR, 8, 1501)
        ip("link", "set", "eth0", "mtu", "1400", inside="far")
        variable("net/ipv6/conf/eth0/mtu", "1400", inside="far")
        with pytest.raises(OSError, match="No buffer space"):  # a virtual cable says what a real one would not
            echo.send(FAR, 9, 1500)
        echo.send(FAR, 10, 1400)
        assert list(answers(echo, 5)) == [(FAR, 10)]


@isolated
def test_answers_to_others_are_not_seen() -> None:
    world()
    with closing(Echo("u0", NEAR)) as echo, socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as other:
        other.sendto(bytes((128, 0, 0, 0, 0xFF, 0xFF, 0, 1)), (str(FAR), 0))
        assert list(answers(echo, 1)) == []


@isolated
def test_the_kernel_s_path_mtu_is_what_a_router_has_said() -> None:
    world()
    ip("link", "set", "lo", "up", inside="far")
    ip("route", "add", "2001:db8::/64", "via", str(FAR), "dev", "u0")
    ip("link", "add", "small", "type", "bridge", inside="far")
    ip("link", "set", "small", "mtu", "1400", "up", inside="far")
    ip("route", "add", "2001:db8::/64", "dev", "small", inside="far")
    variable("net/ipv6/conf/all/forwarding", "1", inside="far")
    destination = IPv6Address("2001:db8::5")
    with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        assert route.route_to(kernel, destination).mtu is None
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        sender.connect((str(destination), 9))
        sender.send(bytes(1452))
        assert select.select([sender], [], [], 5)[0], "Packet Too Big"
        assert route.route_to(kernel, destination).mtu == 1400
