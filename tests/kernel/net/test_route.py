"""Links, addresses and routes: what is asked for is what iproute2 sees, and what it makes is what is read."""

import socket
import subprocess
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

import pytest

from hepto.edge import netlink, route
from hepto.edge.netlink import Netlink
from tests.kernel.net.world import ip, isolated, namespace, settle


@isolated
def test_what_iproute2_makes_is_read() -> None:
    namespace("router", "u0", "eth0")
    ip("link", "set", "u0", "mtu", "1400", "up")
    settle(("", "u0"))
    ip("address", "add", "2001:db8::5/64", "dev", "u0", "nodad")
    ip("route", "add", "default", "via", "2001:db8::1", "dev", "u0", "metric", "77")
    with Netlink(netlink.NETLINK_ROUTE) as kernel:
        link = next(link for link in route.links(kernel) if link.name == "u0")
        assert (link.up, link.carrier, link.mtu, link.ethernet, link.kind) == (True, True, 1400, True, "veth")
        assert link.hardware.hex(":") == ip("link", "show", "dev", "u0")[0]["address"]
        assert IPv6Interface("2001:db8::5/64") in [found.interface for found in route.addresses(kernel, link.index)]
        (default,) = route.default_routes(kernel, link.index)
        assert default == route.Route(IPv6Network("::/0"), link.index, IPv6Address("2001:db8::1"), None, 77)
        assert route.default_routes(kernel, 1) == (), "only those of the link that was asked for"


@isolated
def test_what_is_asked_for_is_what_iproute2_sees_and_may_be_asked_for_again() -> None:
    ip("link", "set", "lo", "up")
    index = 0
    with Netlink(netlink.NETLINK_ROUTE) as kernel:
        for _ in range(2):
            route.add_link(kernel, "pods0", "bridge", 1420)
            index = socket.if_nametoindex("pods0")
            route.set_link(kernel, index, up=True, mtu=1380)
            route.add_address(kernel, index, IPv6Interface("fd00::1/128"), detect=False)
            route.add_route(kernel, route.Route(IPv6Network("fd00::/48")))
            route.add_route(kernel, route.Route(IPv6Network("fd00:0:0:3::/112"), index, source=IPv6Address("fd00::1")))
        (link,) = ip("link", "show", "dev", "pods0")
        assert (link["mtu"], "UP" in link["flags"]) == (1380, True)
        (unreachable,) = ip("-6", "route", "show", "type", "unreachable")
        assert unreachable["dst"] == "fd00::/48"
        (services,) = ip("-6", "route", "show", "fd00:0:0:3::/112")
        assert (services["dev"], services["prefsrc"]) == ("pods0", "fd00::1")
        for _ in range(2):
            route.remove_route(kernel, route.Route(IPv6Network("fd00::/48")))
            route.remove_address(kernel, index, IPv6Interface("fd00::1/128"))
        assert ip("-6", "route", "show", "type", "unreachable") == []


@isolated
def test_the_mtu_of_a_route_is_set_locked_replaced_and_read() -> None:
    ip("link", "add", "pods0", "type", "bridge")
    ip("link", "set", "pods0", "up")
    ip("address", "add", "fd00::1/128", "dev", "pods0", "nodad")
    with Netlink(netlink.NETLINK_ROUTE) as kernel:
        index = route.index_of("pods0")
        assert index is not None
        wanted = route.Route(IPv6Network("fd00:0:0:2::/112"), index, source=IPv6Address("fd00::1"))
        for mtu in (1392, 1280, None, 1300):
            wanted = replace(wanted, mtu=mtu)
            route.add_route(kernel, wanted)

            assert [item for item in route.routes(kernel, index) if item.source is not None] == [wanted]
            argv = ["ip", "-6", "route", "show", "fd00:0:0:2::/112"]  # iproute2 prints locks as text only
            seen = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
            assert ("mtu" in seen, f"mtu lock {mtu}" in seen) == (mtu is not None, mtu is not None), seen
            assert route.route_to(kernel, IPv6Address("fd00:0:0:2::5")).mtu == mtu


@isolated
def test_unreachable_routes_are_read_as_they_were_asked_for() -> None:
    ip("link", "set", "lo", "up")
    with Netlink(netlink.NETLINK_ROUTE) as kernel:
        assert route.unreachable_routes(kernel) == ()
        wanted = route.Route(IPv6Network("fd00::/48"))
        route.add_route(kernel, wanted)

        assert route.unreachable_routes(kernel) == (wanted,)


@isolated
def test_a_dump_of_hundreds_is_whole() -> None:
    ip("link", "add", "pods0", "type", "bridge")
    ip("link", "set", "pods0", "up")
    with Netlink(netlink.NETLINK_ROUTE) as kernel:
        index = route.index_of("pods0")
        assert index is not None
        wanted = {IPv6Interface(f"fd00::{number:x}/128") for number in range(1, 801)}
        for interface in wanted:
            route.add_address(kernel, index, interface, detect=False)

        assert wanted <= {found.interface for found in route.addresses(kernel, index)}


@isolated
def test_a_refusal_names_what_was_asked() -> None:
    with Netlink(netlink.NETLINK_ROUTE) as kernel:
        with pytest.raises(OSError, match="link 4711"):
            route.set_link(kernel, 4711, up=True)
    assert route.index_of("none") is None
