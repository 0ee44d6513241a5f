"""The kernel as the driver of a WireGuard interface meets it: link, addresses and routes, device, paths."""

from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from hepto.edge import netlink, route, wireguard
from hepto.edge.echo import Echo

CUT_METRIC = 64
"""Tells our own routes to single hosts of the underlay from those of others."""


class Tunnel:
    """One interface by its name; tests put another in its place. Everything raises OSError."""

    def __init__(self, name: str):
        self._name = name

    def link(self) -> route.Link | None:
        """The mesh's interface."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            return next((link for link in route.links(kernel) if link.name == self._name), None)

    def add_link(self, mtu: int) -> None:
        """Make it."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            route.add_link(kernel, self._name, "wireguard", mtu)

    def set_link(self, index: int, mtu: int) -> None:
        """Turn it on, with this MTU."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            route.set_link(kernel, index, up=True, mtu=mtu)

    def addresses(self, index: int) -> tuple[IPv6Interface, ...]:
        """Its addresses."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            return tuple(address.interface for address in route.addresses(kernel, index))

    def add_address(self, index: int, interface: IPv6Interface) -> None:
        """One more."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            route.add_address(kernel, index, interface, detect=False)

    def routes(self, index: int | None) -> tuple[route.Route, ...]:
        """The routes through it; None: those that are unreachable."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            return route.unreachable_routes(kernel) if index is None else route.routes(kernel, index)

    def change_routes(self, wanted: tuple[route.Route, ...], unwanted: tuple[route.Route, ...] = ()) -> None:
        """Remove and set routes."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            for item in unwanted:
                route.remove_route(kernel, item)
            for item in wanted:
                route.add_route(kernel, item)

    def device(self) -> wireguard.Found:
        """The device with its peers."""
        return wireguard.read_device(self._name)

    def set_device(self, device: wireguard.Device) -> None:
        """Its key and port."""
        wireguard.set_device(device)

    def set_peers(self, changes: tuple[wireguard.PeerChange, ...]) -> None:
        """Change peers."""
        wireguard.set_peers(self._name, changes)

    def echo(self, source: IPv6Address) -> Echo | None:
        """A socket for probes."""
        return Echo(self._name, source)

    def path_mtu(self, destination: IPv6Address) -> int:
        """What the kernel knows of the path on the underlay, 0 for nothing."""
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            return route.route_to(kernel, destination).mtu or 0

    def cut(self, destination: IPv6Address, size: int | None) -> None:
        """Packets to an address of the underlay go in fragments of this size; None: as the route there says."""
        network = IPv6Network((destination, 128))
        with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
            route.remove_route(kernel, route.Route(network, metric=CUT_METRIC))
            if size is not None:
                way = route.route_to(kernel, destination)
                route.add_route(kernel, route.Route(network, way.index, way.gateway, metric=CUT_METRIC, mtu=size))
