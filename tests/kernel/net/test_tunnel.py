"""The mesh interface's kernel side, as far as it needs no WireGuard: a bridge stands in for the interface."""

from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from hepto.edge import route
from hepto.edge.tunnel import Tunnel
from tests.kernel.net.world import ip, isolated

OWN = IPv6Address("fd00::1")


@isolated
def test_link_addresses_and_routes_are_read_as_they_were_written() -> None:
    ip("link", "set", "lo", "up")
    tunnel = Tunnel("wg0")
    assert tunnel.link() is None
    ip("link", "add", "wg0", "type", "bridge")
    link = tunnel.link()
    assert link is not None
    tunnel.set_link(link.index, 1420)
    tunnel.add_address(link.index, IPv6Interface((OWN, 128)))
    wanted = tuple(
        route.Route(IPv6Network((0xFD << 120 | number << 16, 112)), link.index, source=OWN, mtu=1280 + number)
        for number in range(1, 301)
    )
    unreachable = route.Route(IPv6Network("fd00::/48"))

    tunnel.change_routes((unreachable, *wanted))

    again = tunnel.link()
    assert again is not None
    assert (again.up, again.mtu) == (True, 1420)
    assert IPv6Interface((OWN, 128)) in tunnel.addresses(link.index)
    assert {item for item in tunnel.routes(link.index) if item.source == OWN} == set(wanted)
    assert tunnel.routes(None) == (unreachable,)
    tunnel.change_routes((), wanted[:299])
    assert {item for item in tunnel.routes(link.index) if item.source == OWN} == set(wanted[299:])


@isolated
def test_packets_to_one_host_are_cut_and_no_longer() -> None:
    ip("link", "add", "u0", "type", "bridge")
    ip("link", "set", "u0", "up")
    ip("address", "add", "2001:db8::5/64", "dev", "u0", "nodad")
    ip("route", "add", "default", "via", "fe80::1", "dev", "u0", "metric", "1024")
    tunnel, near, far = Tunnel("wg0"), IPv6Address("2001:db8::9"), IPv6Address("2001:db8:7::9")
    for destination in (near, far):
        tunnel.cut(destination, None)
        assert tunnel.path_mtu(destination) == 0
        for _ in range(2):
            tunnel.cut(destination, 1280)
            assert tunnel.path_mtu(destination) == 1280
    ip("route", "replace", "default", "via", "fe80::2", "dev", "u0", "metric", "1024")
    tunnel.cut(far, 1280)
    assert ip("-6", "route", "show", str(far))[0]["gateway"] == "fe80::2", "by the way there is now"
    for destination in (near, far):
        tunnel.cut(destination, None)
        assert tunnel.path_mtu(destination) == 0
        assert ip("-6", "route", "show", str(destination)) == []
