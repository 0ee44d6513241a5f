"""A kernel for the mesh's tests: it does what is ordered as the real one would, and counts the writes."""

import random
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

from hepto.address import AddressPlan
from hepto.machine import Effect, Event, Note
from hepto.mesh.machine import MeshMachine
from hepto.mesh.model import (
    Cut,
    Kernel,
    Look,
    Own,
    Peer,
    PeerView,
    Probe,
    RemovePeer,
    RemoveRoute,
    Routes,
    SetPeer,
    SetRoute,
)
from hepto.wireguard import Endpoint, KernelPeer

PLAN = AddressPlan("mycluster")
OWN = Own(b"o" * 32, PLAN.node("own"), PLAN.prefix)
WALL = 1_700_000_000.0
"""Unix time at the monotonic instant 0."""


def key(name: str) -> bytes:
    return name.encode().ljust(32, b"\1")


def place(number: int, port: int = 7948) -> Endpoint:
    return Endpoint(IPv6Address(f"2001:db8::{number:x}"), port)


def peer(name: str, *endpoints: Endpoint, serial: int = 1, public_key: bytes | None = None) -> Peer:
    return Peer(name, public_key or key(name), PLAN.node(name), PLAN.pod_subnet(name), serial, endpoints)


class World:
    """A machine, its kernel and a clock. `at(now)` lets everything happen up to that instant."""

    def __init__(self, own: Own = OWN) -> None:
        self.own = own
        self.peers: dict[bytes, KernelPeer] = {}
        self.routes: dict[IPv6Network, int | None] = {}
        self._owners: dict[IPv6Network, bytes] = {}
        self.orders: list[Effect] = []
        self.notes: list[Note] = []
        self.probes: list[Probe] = []
        self.cuts: list[Cut] = []
        self.now = 0.0
        self.wall = WALL
        self.looks = 0
        self.alive: set[Endpoint] = set()
        self.given: dict[bytes, Endpoint] = {}
        """What we have set, by key."""
        """Who answers there answers every call."""
        self.start()

    def start(self) -> None:
        """A new agent beside the same kernel."""
        self.machine = MeshMachine(self.own, random.Random(1))
        self.orders.clear()

    def feed(self, *events: Event) -> None:
        for event in events:
            self.machine.handle(event, self.now)
            self._perform()

    def at(self, now: float) -> "World":
        while True:
            deadline = self.machine.deadline()
            if deadline is None or deadline > now:
                break
            self.now = max(self.now, deadline)
            self.machine.tick(self.now)
            self._perform()
        self.now = now
        return self

    def dump(self) -> Kernel:
        self._call()
        return Kernel(tuple(self.peers.values()), self.wall + self.now)

    def handshake(self, name: str, endpoint: Endpoint | None = None) -> None:
        """It has been heard just now, from there."""
        found = self.peers[key(name)]
        there = endpoint or found.endpoint
        self.peers[key(name)] = replace(found, endpoint=there, handshake=self.wall + self.now, received=92)

    def endpoint(self, name: str) -> Endpoint | None:
        return self.peers[key(name)].endpoint

    def view(self, name: str) -> PeerView:
        return next(item for item in self.machine.view().peers if item.name == name)

    def tried(self, name: str) -> list[Endpoint]:
        """Every endpoint that was ordered, in order."""
        mine = (order for order in self.orders if isinstance(order, SetPeer) and order.public_key == key(name))
        return [order.endpoint for order in mine if order.endpoint is not None]

    def _call(self) -> None:
        for public_key, found in self.peers.items():
            if found.keepalive and found.endpoint is not None:
                answers = 32 if found.endpoint in self.alive else 0
                is_old = self.wall + self.now - found.handshake > 120
                handshake = self.wall + self.now if answers and is_old else found.handshake
                sent, received = found.sent + 148, found.received + answers
                self.peers[public_key] = replace(found, handshake=handshake, sent=sent, received=received)

    def _perform(self) -> None:
        waiting = list(self.machine.effects())
        while waiting:
            effect = waiting.pop(0)
            match effect:
                case Look(routes):
                    self.looks += 1
                    if routes:
                        self.machine.handle(Routes(tuple(self.routes.items())), self.now)
                    self.machine.handle(self.dump(), self.now)
                case Note():
                    self.notes.append(effect)
                case Probe():
                    self.probes.append(effect)
                case Cut():
                    self.cuts.append(effect)
                case _:
                    self.orders.append(effect)
                    self._change(effect)
            waiting.extend(self.machine.effects())

    def _change(self, effect: Effect) -> None:
        match effect:
            case SetPeer():
                self._set(effect)
            case RemovePeer(public_key):
                del self.peers[public_key]
            case SetRoute(destination, mtu):
                self.routes[destination] = mtu
            case RemoveRoute(destination):
                del self.routes[destination]
            case _:
                raise AssertionError(effect)

    def _set(self, order: SetPeer) -> None:
        assert order.new == (order.public_key not in self.peers), order
        assert order.endpoint is None or order.endpoint.address not in self.own.prefix
        found = self.peers.get(order.public_key, KernelPeer(order.public_key))
        if order.allowed is not None:
            self._take(order.public_key, order.allowed)
            found = replace(found, allowed=tuple(reversed(order.allowed)))  # the kernel sorts them its own way
        if order.endpoint is not None:
            age = self.wall + self.now - found.handshake
            has_roamed = found.endpoint is not None and found.endpoint != self.given.get(order.public_key)
            assert age >= 180 or not has_roamed, f"the kernel follows by itself within a session: {order}"
            self.given[order.public_key] = order.endpoint
            found = replace(found, endpoint=order.endpoint)
        if order.keepalive is not None:
            found = replace(found, keepalive=order.keepalive)
        self.peers[order.public_key] = found

    def _take(self, owner: bytes, networks: Iterable[IPv6Network]) -> None:
        for network in networks:
            other = self.peers.get(self._owners.get(network, owner))
            if other is not None and other.public_key != owner:
                left = tuple(item for item in other.allowed if item != network)
                self.peers[other.public_key] = replace(other, allowed=left)
            self._owners[network] = owner
