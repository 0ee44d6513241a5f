"""Many nodes on one network: feeds each core its events, carries out its effects, and does to it what is asked for.

Promises: a core gets what its driver would give it and in the same order; a process that ends takes nothing with it but
what it had stored (`Remember`); equal seeds give equal runs.
"""

import math
from typing import Protocol

from hepto.gossip.messages import Address
from hepto.gossip.model import (
    Answer,
    Call,
    Datagram,
    MemberChanged,
    Refused,
    Remember,
    Resolve,
    Resolved,
    Send,
    SetAddress,
    SetMeta,
    Started,
)
from hepto.machine import Effect, Event
from hepto.sim import node as nodes
from hepto.sim.clock import Clock
from hepto.sim.network import Network
from hepto.sim.node import Node, Software
from hepto.sim.streams import Streams

SOCKET_BUFFER = 256
"""Datagrams that the kernel keeps for a process that does not read (212,992 bytes, each counted with its overhead)."""
RESOLVE_SECONDS = 0.02
ANCHOR = "node-{}.sim"


class Watcher(Protocol):
    """Whoever wants to know what happens."""

    def changed(self, node: Node, effect: MemberChanged) -> None:
        """A core has said what it thinks of a member."""

    def touched(self, node: Node) -> None:
        """The node's process has begun or ended, or the node has moved."""


def anchor(index: int) -> str:
    """The host name of a node."""
    return ANCHOR.format(index)


class Cluster:
    """The nodes, and the verbs of what can happen to them. Nothing runs until `start`."""

    def __init__(self, size: int, clock: Clock, network: Network, software: Software, watcher: Watcher):
        self.clock = clock
        self.network = network
        self.nodes = [_machine(index, software) for index in range(size)]
        self._software = software
        self._watcher = watcher
        self._hosts: dict[Address, Node] = {node.address: node for node in self.nodes}
        self._names = {anchor(node.index): node for node in self.nodes}
        self._streams = Streams(clock, network, self._hosts, self.feed, software)

    def start(self, index: int) -> None:
        """A new process, with what the last one has stored; the one that runs ends first."""
        node = self.nodes[index]
        self.kill(index)
        node.core = self._software.build(node.next_birth(self.clock.now))
        node.life += 1
        node.is_plugged = True
        self._watcher.touched(node)
        self.feed(node, Started())

    def kill(self, index: int) -> None:
        """The process ends without a word."""
        node = self.nodes[index]
        node.core = None
        node.is_paused = False
        node.armed = math.inf
        node.inbox.clear()
        self._watcher.touched(node)

    def unplug(self, index: int) -> None:
        """The whole machine ends."""
        self.kill(index)
        self.nodes[index].is_plugged = False

    def pause(self, index: int) -> None:
        """The process, if there is one, gets no time."""
        node = self.nodes[index]
        node.is_paused = node.is_running

    def resume(self, index: int) -> None:
        """The process goes on: first with what has arrived, then with the time."""
        node = self.nodes[index]
        if not node.is_paused:
            return
        node.is_paused = False
        waiting, node.inbox = node.inbox, []
        for event in waiting:
            self.feed(node, event)
        node.armed = self.clock.now
        self._tick(node, node.life)

    def renumber(self, index: int) -> None:
        """The node is at another address from now on, and knows it."""
        node = self.nodes[index]
        del self._hosts[node.address]
        node.moves += 1
        node.address = nodes.address(index, node.moves)
        self._hosts[node.address] = node
        node.meta = self._software.meta(node.name, node.address, node.moves)
        self._watcher.touched(node)
        self.feed(node, SetAddress(node.address))
        self.feed(node, SetMeta(node.meta))  # after the address: a newer record must never travel with the old one

    def feed(self, node: Node, event: Event) -> None:
        """Hand an event to the node's process, at once or when it goes on."""
        if node.core is None:
            return
        if node.is_paused:
            if not isinstance(event, Datagram) or len(node.inbox) < SOCKET_BUFFER:
                node.inbox.append(event)
            return
        node.core.handle(event, self.clock.now)
        self._settle(node)

    def _tick(self, node: Node, life: int) -> None:
        now = self.clock.now
        if node.core is None or node.life != life or node.armed != now or node.is_paused:
            return  # armed for another time since, or for another process
        node.armed = math.inf
        deadline = node.core.deadline()
        if deadline is not None and deadline <= now:
            node.core.tick(now)
        self._settle(node)

    def _settle(self, node: Node) -> None:
        core = node.core
        assert core is not None
        for effect in core.effects():
            self._perform(node, effect)
        deadline = core.deadline()
        if deadline is not None and deadline < node.armed:
            node.armed = max(deadline, self.clock.now)
            self.clock.at(node.armed, self._tick, node, node.life)

    def _perform(self, node: Node, effect: Effect) -> None:
        match effect:
            case Send():
                self._send(node, effect)
            case MemberChanged():
                self._watcher.changed(node, effect)
            case Call():
                self._streams.call(node, effect)
            case Answer():
                self._streams.answer(node, effect)
            case Remember(incarnation, addresses):
                node.incarnation, node.remembered = incarnation, addresses
            case Resolve(name):
                self.clock.at(self.clock.now + RESOLVE_SECONDS, self._resolve, node, node.life, name)
            case _:
                pass  # what the agent would do with it changes nothing here

    def _send(self, node: Node, effect: Send) -> None:
        destination, data = effect.destination, effect.data
        node.packets += 1
        node.packet_bytes += len(data)
        target = self._hosts.get(destination)
        if target is None:
            return
        now, network = self.clock.now, self.network
        for delay in network.deliveries(node.index, target.index):
            self.clock.at(now + delay, self._arrive, target, destination, network.carry(data), node, node.address)

    def _arrive(self, target: Node, destination: Address, data: bytes, sender: Node, source: Address) -> None:
        if target.address != destination or not target.is_plugged:
            return
        if target.is_running:
            self.feed(target, Datagram(data, source))
            return
        # The machine says that nobody listens; that message can be lost like any other.
        for delay in self.network.deliveries(target.index, sender.index)[:1]:
            self.clock.at(self.clock.now + delay, self.feed, sender, Refused(destination))

    def _resolve(self, node: Node, life: int, name: str) -> None:
        if node.life == life:
            found = self._names.get(name)
            self.feed(node, Resolved(name, (found.address,) if found else ()))


def _machine(index: int, software: Software) -> Node:
    """One that is on; nothing runs yet."""
    name, address = nodes.name(index), nodes.address(index)
    return Node(index, name, address, software.meta(name, address, 0))
