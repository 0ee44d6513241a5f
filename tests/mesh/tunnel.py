"""The kernel as the mesh's driver meets it: link, addresses, routes, a WireGuard device, and what was written."""

import errno
import os
import time
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from hepto.edge import route, wireguard
from hepto.edge.echo import Echo
from hepto.edge.tunnel import Tunnel
from hepto.wireguard import KernelPeer, public_key


class FakeTunnel(Tunnel):
    def __init__(self) -> None:
        super().__init__("wg0")
        self.writes: list[str] = []
        self.looks = 0
        self.found: route.Link | None = None
        self.own: list[IPv6Interface] = []
        self.table: dict[IPv6Network, route.Route] = {}
        self.configured = wireguard.Found("wg0", 0, bytes(32), ())
        self.peers: dict[bytes, KernelPeer] = {}
        self.refused: set[bytes] = set()
        self.answering = False
        """Peers complete a handshake when they are set."""
        self.line: Echo | None = None
        self.path = 0

    def link(self) -> route.Link | None:
        return self.found

    def add_link(self, mtu: int) -> None:
        self.writes.append("add link")
        self.found = route.Link(7, "wg0", False, False, mtu, False, "wireguard")

    def set_link(self, index: int, mtu: int) -> None:
        assert self.found is not None
        self.writes.append("set link")
        self.found = replace(self.found, up=True, mtu=mtu)

    def addresses(self, index: int) -> tuple[IPv6Interface, ...]:
        return tuple(self.own)

    def add_address(self, index: int, interface: IPv6Interface) -> None:
        self.writes.append("add address")
        self.own.append(interface)

    def routes(self, index: int | None) -> tuple[route.Route, ...]:
        return tuple(item for item in self.table.values() if item.index == index)

    def change_routes(self, wanted: tuple[route.Route, ...], unwanted: tuple[route.Route, ...] = ()) -> None:
        self.writes += [f"route {item.destination}" for item in (*unwanted, *wanted)]
        for item in unwanted:
            self.table.pop(item.destination, None)
        self.table.update((item.destination, item) for item in wanted)

    def device(self) -> wireguard.Found:
        self.looks += 1
        if self.found is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), "wg0")
        return replace(self.configured, peers=tuple(self.peers.values()))

    def set_device(self, device: wireguard.Device) -> None:
        self.writes.append("set device")
        self.configured = wireguard.Found("wg0", device.port, public_key(device.private_key), ())

    def set_peers(self, changes: tuple[wireguard.PeerChange, ...]) -> None:
        for change in changes:
            if change.public_key in self.refused:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), "peers")
            self.writes.append(f"peer {change.public_key.hex()[:4]}")
            if change.remove:
                self.peers.pop(change.public_key, None)
                continue
            found = self.peers.get(change.public_key, KernelPeer(change.public_key))
            self.peers[change.public_key] = replace(
                found,
                endpoint=change.endpoint or found.endpoint,
                allowed=found.allowed if change.allowed is None else change.allowed,
                keepalive=found.keepalive if change.keepalive is None else change.keepalive,
                handshake=time.time() if self.answering else 0.0,
            )

    def echo(self, source: IPv6Address) -> Echo | None:
        return self.line

    def path_mtu(self, destination: IPv6Address) -> int:
        return self.path
