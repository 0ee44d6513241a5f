"""Makes the mesh interface what the plan wants, keeps its key in `identity/wireguard.key`, and is the machine's hands.

Promises: everything may be done again, and what is as it should be is not written (after a restart of the agent beside
an unchanged mesh nothing is); the key is written durably before it is used, and is never logged. What the kernel
refuses is logged and met again with the next dump; one peer's refusal holds up no other's.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path

from hepto.edge import files, route, wireguard
from hepto.edge.echo import Echo
from hepto.edge.pump import Pump, pause
from hepto.edge.tunnel import Tunnel
from hepto.log import Log
from hepto.machine import Effect, Event, Note
from hepto.mesh.machine import MeshMachine
from hepto.mesh.model import (
    Cut,
    Echoed,
    Kernel,
    Look,
    Own,
    Peer,
    Peers,
    Probe,
    RemovePeer,
    RemoveRoute,
    Routes,
    SetPeer,
    SetRoute,
    Underlay,
    View,
)
from hepto.mesh.plan import INTERFACE, Mesh
from hepto.wireguard import KEY_BYTES, Endpoint, public_key
from init.contract import durable

KEY_FILE = "wireguard.key"
AT_ONCE = 200
"""Orders between which the agent gets to do other things (peers: 0.1 s under emulation)."""


def load_key(data: str) -> bytes:
    """The node's X25519 private key, made at the first call. `data` is the node's data directory."""
    path = _key_path(data)
    key = files.read(path, KEY_BYTES)
    if key is None:
        return _make_key(data)
    if len(key) != KEY_BYTES:
        raise OSError(f"{path}: {len(key)} bytes are no WireGuard key")
    return key


def has_key(data: str) -> bool:
    """True if load_key() would not make one."""
    return Path(_key_path(data)).exists()


def _make_key(data: str) -> bytes:
    path = _key_path(data)
    durable.make_directory(path.rpartition("/")[0], exact=True)
    key = clamp(secrets.token_bytes(KEY_BYTES))
    durable.write(path, key)
    return key


def _key_path(data: str) -> str:
    return f"{data}/identity/{KEY_FILE}"


def clamp(key: bytes) -> bytes:
    """A random number as an X25519 private key (RFC 7748 section 5)."""
    return bytes((key[0] & 248, *key[1:31], key[31] & 127 | 64))


class MeshDriver:
    """The interface `wg0` of this node, and the peers behind it."""

    def __init__(self, data: str, tunnel: Tunnel | None = None):
        self._data = data
        self._tunnel = tunnel or Tunnel(INTERFACE)
        self._applied: Mesh | None = None
        self._index = 0
        self._addresses: tuple[IPv6Address, ...] = ()
        self._peers = Peers(())
        self._is_made = asyncio.Event()
        self._work: asyncio.Queue[Effect] = asyncio.Queue()
        self._machine: MeshMachine | None = None
        self._pump: Pump[Event, Effect] | None = None
        self._echo: Echo | None = None
        self._asked: dict[IPv6Address, Endpoint | None] = {}
        self._handshake: float | None = None
        self._changed: Callable[[], None] = lambda: None
        self._log = Log("mesh")

    # --- what others want

    def apply(self, wanted: Mesh) -> None:
        """Make the interface so. Raises OSError; calling again goes on where it stopped."""
        if wanted == self._applied:
            return
        self._make(wanted)
        self._applied = wanted
        self._is_made.set()
        self._feed(Underlay(self._addresses, wanted.mtu))
        self._log.info("mesh interface is up", address=wanted.address, mtu=wanted.mtu)

    def underlay(self, addresses: tuple[IPv6Address, ...]) -> None:
        """This node's addresses on the underlay: no peer is there."""
        if addresses != self._addresses:
            self._addresses = addresses
            if self._applied is not None:
                self._feed(Underlay(addresses, self._applied.mtu))

    def wish(self, peers: tuple[Peer, ...], revoked: frozenset[bytes]) -> None:
        """All peers that are known, at most one of a name; `revoked` are WireGuard keys. Who is absent stays."""
        wanted = Peers(peers, revoked)
        if wanted != self._peers:
            self._peers = wanted
            self._feed(wanted)

    def view(self) -> View:
        """How it stands with each peer."""
        return self._machine.view() if self._machine is not None else View()

    @property
    def handshake(self) -> float | None:
        """When the newest with this key was, with any peer, as the kernel dates it (Unix seconds); None for none."""
        return self._handshake

    def renew_key(self) -> bytes:
        """Make another private key, durably, and use it. Returns the public one, which needs a new grant.

        WireGuard refuses handshakes whose time is not after the last one's: after a step of the clock backwards the old
        key is of no use towards any peer (trust.md section 2). Raises OSError; then the next apply() uses the new key.
        """
        key = _make_key(self._data)
        self._drop_peers()
        wanted, self._applied = self._applied, None
        if wanted is not None:
            self.apply(wanted)
        if self._pump is not None:
            self._begin()
        return public_key(key)

    def _drop_peers(self) -> None:
        """Their sessions end with the key, and the kernel would go on dating handshakes that were the old one's."""
        with contextlib.suppress(OSError):  # no interface, no peers
            present = tuple(wireguard.PeerChange(peer.public_key, remove=True) for peer in self._tunnel.device().peers)
            for start in range(0, len(present), AT_ONCE):
                self._tunnel.set_peers(present[start : start + AT_ONCE])
        self._handshake = None

    async def run(self, changed: Callable[[], None] = lambda: None) -> None:
        """Keep the peers as they are wished until cancelled. `changed` is called when the view may have changed."""
        self._changed = changed
        await self._is_made.wait()
        self._begin()
        try:
            while True:
                orders = [await self._work.get()]
                while not self._work.empty():
                    orders.append(self._work.get_nowait())
                await self._perform(orders)
        finally:
            self._hang_up()
            if self._pump is not None:
                self._pump.close()

    # --- the interface

    def _make(self, wanted: Mesh) -> None:
        tunnel, key = self._tunnel, load_key(self._data)
        unreachable = tuple(route.Route(item.destination) for item in wanted.routes if not item.through_mesh)
        self._complete(unreachable, None)
        link = tunnel.link()
        if link is None:
            tunnel.add_link(wanted.mtu)
            link = tunnel.link()
            assert link is not None, "made a moment ago"
        device = tunnel.device()
        if (device.port, device.public_key) != (wanted.port, public_key(key)):
            tunnel.set_device(wireguard.Device(INTERFACE, wanted.port, key))
        if (link.up, link.mtu) != (True, wanted.mtu):
            tunnel.set_link(link.index, wanted.mtu)
        own = IPv6Interface((wanted.address, 128))
        if own not in tunnel.addresses(link.index):
            tunnel.add_address(link.index, own)
        through = [item.destination for item in wanted.routes if item.through_mesh]
        self._complete(tuple(route.Route(item, link.index, source=wanted.address) for item in through), link.index)
        self._index = link.index

    def _complete(self, wanted: tuple[route.Route, ...], index: int | None) -> None:
        present = set(self._tunnel.routes(index))
        missing = tuple(item for item in wanted if item not in present)
        if missing:
            self._tunnel.change_routes(missing)

    # --- the machine

    def _begin(self) -> None:
        assert self._applied is not None
        if self._pump is not None:
            self._pump.close()
        own = Own(public_key(load_key(self._data)), self._applied.address, self._applied.prefix)
        self._machine = MeshMachine(own, random.SystemRandom())
        self._pump = Pump(self._machine, self._work.put_nowait, self._changed)
        self._feed(Underlay(self._addresses, self._applied.mtu))
        self._feed(self._peers)

    def _feed(self, event: Event) -> None:
        if self._pump is not None:
            self._pump.feed(event)

    async def _perform(self, orders: list[Effect]) -> None:
        if self._applied is None:
            return  # the interface is being made anew: with it the machine is, and orders all of this again
        peers = [order for order in orders if isinstance(order, SetPeer | RemovePeer)]
        for start in range(0, len(peers), AT_ONCE):
            self._set_peers(tuple(map(_change, peers[start : start + AT_ONCE])))
            await pause(0)
        routes = [order for order in orders if isinstance(order, SetRoute | RemoveRoute)]
        for start in range(0, len(routes), AT_ONCE):
            self._set_routes(routes[start : start + AT_ONCE])
            await pause(0)
        for order in orders:
            match order:
                case SetPeer() | RemovePeer() | SetRoute() | RemoveRoute():
                    pass
                case Probe():
                    self._probe(order)
                case Cut():
                    self._cut(order)
                case Look():
                    self._look(routes=order.routes)
                case Note():
                    self._log.note(order)
                case _:
                    raise TypeError(f"not an effect of the mesh: {order!r}")

    def _set_peers(self, changes: tuple[wireguard.PeerChange, ...]) -> None:
        try:
            self._tunnel.set_peers(changes)
        except OSError:
            for change in changes:
                try:
                    self._tunnel.set_peers((change,))
                except OSError as error:
                    self._log.warning("peer not set", endpoint=change.endpoint, allowed=change.allowed, error=error)

    def _set_routes(self, orders: list[SetRoute | RemoveRoute]) -> None:
        wanted = tuple(self._route(order.destination, order.mtu) for order in orders if isinstance(order, SetRoute))
        unwanted = tuple(self._route(order.destination) for order in orders if isinstance(order, RemoveRoute))
        try:
            self._tunnel.change_routes(wanted, unwanted)
        except OSError as error:
            self._log.warning("routes not set", error=error)

    def _route(self, destination: IPv6Network, mtu: int | None = None) -> route.Route:
        assert self._applied is not None
        return route.Route(destination, self._index, source=self._applied.address, mtu=mtu)

    def _look(self, *, routes: bool) -> None:
        try:
            if routes:
                self._feed(Routes(self._mesh_routes()))
            found = self._tunnel.device()
        except OSError as error:
            self._log.warning("mesh interface not read", error=error)
            self._remake()
            return
        self._handshake = max((peer.handshake for peer in found.peers if peer.handshake), default=None)
        self._feed(Kernel(found.peers, time.time()))

    def _probe(self, order: Probe) -> None:
        try:
            if self._echo is None and self._applied is not None:
                self._echo = self._tunnel.echo(self._applied.address)
                if self._echo is not None:
                    asyncio.get_running_loop().add_reader(self._echo, self._hear)
            self._asked[order.address] = order.endpoint
            if self._echo is not None:
                self._echo.send(order.address, order.sequence, order.size)
        except OSError as error:
            self._log.debug("probe not sent", address=order.address, size=order.size, error=error)
            self._hang_up()  # its interface may be another one by now

    def _cut(self, order: Cut) -> None:
        try:
            self._tunnel.cut(order.address, order.size)
        except OSError as error:
            self._log.warning("fragments not ordered", address=order.address, error=error)

    def _hear(self) -> None:
        for address, sequence in self._echo.receive() if self._echo is not None else ():
            endpoint = self._asked.get(address)
            try:
                path = self._tunnel.path_mtu(endpoint.address) if endpoint is not None else 0
            except OSError:
                path = 0  # no route to where it was a moment ago
            self._feed(Echoed(address, sequence, path))

    def _hang_up(self) -> None:
        if self._echo is not None:
            asyncio.get_running_loop().remove_reader(self._echo)
            self._echo.close()
        self._echo = None

    def _mesh_routes(self) -> tuple[tuple[IPv6Network, int | None], ...]:
        source = self._applied.address if self._applied is not None else None
        return tuple((item.destination, item.mtu) for item in self._tunnel.routes(self._index) if item.source == source)

    def _remake(self) -> None:
        """Somebody has removed the interface."""
        wanted, self._applied = self._applied, None
        if wanted is not None:
            try:
                self.apply(wanted)
            except OSError as error:
                self._applied = wanted  # tried again after the next look
                self._log.warning("mesh interface not made", error=error)


def _change(order: SetPeer | RemovePeer) -> wireguard.PeerChange:
    if isinstance(order, RemovePeer):
        return wireguard.PeerChange(order.public_key, remove=True)
    return wireguard.PeerChange(
        order.public_key, new=order.new, endpoint=order.endpoint, allowed=order.allowed, keepalive=order.keepalive
    )
