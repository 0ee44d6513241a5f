"""The smallest software that a simulated machine can have: writes down what happens, and does what a test tells it."""

from dataclasses import dataclass, field

from hepto.gossip.messages import Address, StreamMessage
from hepto.gossip.model import MemberChanged
from hepto.gossip.reasons import GossipError, Reason
from hepto.machine import Effect, Event
from hepto.sim.node import Birth, Node, Parcel
from hepto.sim.parcels import Whole


@dataclass
class Recorder:
    """A machine that does nothing by itself."""

    birth: Birth
    heard: list[tuple[float, Event]] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)
    wants: list[float] = field(default_factory=list)
    """When it wants to be told the time."""
    out: list[Effect] = field(default_factory=list)

    def handle(self, event: Event, now: float) -> None:
        self.heard.append((now, event))

    def tick(self, now: float) -> None:
        self.ticks.append(now)
        self.wants = [when for when in self.wants if when > now]

    def deadline(self) -> float | None:
        return min(self.wants, default=None)

    def effects(self) -> tuple[Effect, ...]:
        out, self.out = tuple(self.out), []
        return out

    def events(self, kind: type[Event]) -> list[Event]:
        """What it has heard of one kind."""
        return [event for _, event in self.heard if type(event) is kind]


@dataclass
class Recorders:
    """A Software of them. `deaf` refuse what comes on streams."""

    processes: list[Recorder] = field(default_factory=list)
    deaf: set[int] = field(default_factory=set)

    def meta(self, name: bytes, address: Address, moves: int) -> bytes:
        return name + b"@%d" % moves

    def build(self, birth: Birth) -> Recorder:
        self.processes.append(Recorder(birth))
        return self.processes[-1]

    def pack(self, sender: Node, message: StreamMessage, is_answer: bool) -> Parcel:
        return Whole(message)

    def unpack(self, receiver: Node, parcel: Parcel) -> StreamMessage:
        if receiver.index in self.deaf:
            raise GossipError(Reason.CRYPTO_NO_KEY)
        assert isinstance(parcel, Whole)
        return parcel.message


@dataclass
class Notebook:
    """A cluster.Watcher."""

    changes: list[tuple[int, MemberChanged]] = field(default_factory=list)
    touches: list[tuple[int, bool]] = field(default_factory=list)

    def changed(self, node: Node, effect: MemberChanged) -> None:
        self.changes.append((node.index, effect))

    def touched(self, node: Node) -> None:
        self.touches.append((node.index, node.is_running))
