"""A machine of the simulated cluster: its process, if one runs, what survives that, and what software must offer."""

import math
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from hepto.gossip.messages import Address, StreamMessage
from hepto.machine import Effect, Event, Machine

PORT = 7946

Process: TypeAlias = Machine[Event, Effect]


@dataclass(frozen=True, slots=True)
class Birth:
    """What a process knows when it is started."""

    index: int
    life: int
    """How many processes of this node there were before."""
    time: float
    name: bytes
    address: Address
    meta: bytes
    incarnation: int
    """What was stored; 0 at first."""
    remembered: tuple[Address, ...]
    """What was stored."""


class Parcel(Protocol):
    """A message of a stream on its way (parcels.py)."""

    @property
    def size(self) -> int:
        """Bytes on the wire."""


class Software(Protocol):
    """What is installed on all machines: production.py, or a small fake for a test."""

    def meta(self, name: bytes, address: Address, moves: int) -> bytes:
        """What a node tells about itself when it has moved so often."""

    def build(self, birth: Birth) -> Process:
        """The core of a new process."""

    def pack(self, sender: "Node", message: StreamMessage, is_answer: bool) -> Parcel:
        """What a stream carries."""

    def unpack(self, receiver: "Node", parcel: Parcel) -> StreamMessage:
        """What has come on it. Raises GossipError: the receiver does not take it."""


@dataclass(slots=True, eq=False)
class Node:
    """One of the cluster. Only cluster.py and streams.py change it."""

    index: int
    name: bytes
    address: Address
    meta: bytes
    core: Process | None = None
    """None: no process runs."""
    life: int = -1
    is_plugged: bool = True
    """False: the machine is off, and nothing answers for it."""
    is_paused: bool = False
    armed: float = math.inf
    """When the core will be told the time."""
    inbox: list[Event] = field(default_factory=list)
    """What has arrived while it was paused."""
    moves: int = 0
    """How many addresses it had before."""
    incarnation: int = 0
    remembered: tuple[Address, ...] = ()
    packets: int = 0
    """Datagrams sent."""
    packet_bytes: int = 0
    """Their payload, without the headers of UDP and IP."""
    stream_bytes: int = 0
    """Sent on connections, without headers."""

    @property
    def is_running(self) -> bool:
        return self.core is not None

    def next_birth(self, now: float) -> Birth:
        """What its next process knows."""
        stored = self.incarnation, self.remembered
        return Birth(self.index, self.life + 1, now, self.name, self.address, self.meta, *stored)


def name(index: int) -> bytes:
    """That of a node."""
    return b"node-%d" % index


def address(index: int, moves: int = 0) -> Address:
    """Where a node is after so many moves; no two nodes ever have the same."""
    return Address(b"\xfd" + bytes(9) + moves.to_bytes(2) + index.to_bytes(4), PORT)
