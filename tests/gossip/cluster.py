"""A cluster of cores under a virtual clock: stories of a few lines about who believes what when.

A small relative of hepto.sim, without figures: one latency, a loss, and nodes that are killed, stopped or cut off.
Connections to a dead process are refused, to a stopped one silent, across a cut unreachable, as under Linux.
"""

import random
from collections.abc import Callable
from heapq import heappop, heappush

from hepto.gossip.core import Gossip
from hepto.gossip.messages import Address, Status
from hepto.gossip.model import (
    Accepted,
    Answer,
    Answered,
    Call,
    CallFailed,
    Change,
    Datagram,
    Failure,
    MemberChanged,
    Refused,
    Resolve,
    Resolved,
    Send,
    Started,
)
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.plain import EndpointRecord, Meta, Plain, encode_meta
from hepto.gossip.profile import LAN, Profile
from hepto.gossip.settings import Settings
from hepto.machine import Effect, Event

LATENCY = 0.001


def address(number: int, port: int = 7946) -> Address:
    """Of the node with this number."""
    return Address(bytes.fromhex("fd00") + bytes(12) + number.to_bytes(2, "big"), port)


def meta(number: int, counter: int = 1) -> bytes:
    """Of a member of ours at that address."""
    return encode_meta(Meta(None, EndpointRecord((address(number).ip,), 7947, 7948, counter)))


def verify_all(name: bytes, meta: Meta) -> bool:
    """A verifier that finds every signature good."""
    return True


class Process:
    """One node: a core and the effects it has had."""

    def __init__(self, number: int, core: Gossip, at: Address):
        self.number = number
        self.core = core
        self.at = at
        self.up = True
        self.stopped = False
        self.backlog: list[Event] = []
        self.effects: list[tuple[float, Effect]] = []
        self.streams = 0

    def changes(self, change: Change) -> list[bytes]:
        """The names to which this has happened."""
        return [
            effect.claim.name
            for _, effect in self.effects
            if isinstance(effect, MemberChanged) and effect.change is change
        ]

    def view(self) -> dict[bytes, Status]:
        """Name -> status."""
        return {claim.name: claim.status for claim in self.core.members()}


class Cluster:
    """`names` answers a Resolve; `blocked(a, b)` tells which pairs of numbers cannot talk."""

    def __init__(self, seed: int = 0, *, profile: Profile = LAN, loss: float = 0.0, icmp: bool = True):
        self.dice = random.Random(seed)
        self.now = 0.0
        self.profile = profile
        self.loss = loss
        self.icmp = icmp
        self.processes: dict[int, Process] = {}
        self.names: dict[str, tuple[Address, ...]] = {}
        self.blocked: Callable[[int, int], bool] = lambda a, b: False
        self.bytes = 0
        self.packets = 0
        self._events: list[tuple[float, int, Process, Event]] = []
        self._count = 0
        self._open: dict[tuple[int, int], tuple[Process, int]] = {}

    def start(
        self,
        number: int,
        *anchors: str,
        incarnation: int = 1,
        at: int | None = None,
        ours: bool = True,
        remembered: tuple[Address, ...] = (),
    ) -> Process:
        """A process named after its number, at the address of `at` (default: the same number)."""
        where = address(number if at is None else at)
        settings = Settings(
            name=b"n%d" % number,
            address=where,
            meta=meta(number if at is None else at, incarnation) if ours else b"",
            anchors=anchors,
            profile=self.profile,
            incarnation=incarnation,
            remembered=remembered,
        )
        dice = random.Random(self.dice.getrandbits(64))
        envelope = PacketEnvelope(b"test", None, random_bytes=dice.randbytes)
        process = Process(number, Gossip(settings, envelope, Plain(verify_all), dice), where)
        self.processes[number] = process
        self.feed(process, Started())
        return process

    def converge(self, count: int, seconds: float = 20.0) -> list[Process]:
        """`count` nodes that know each other, numbered from 0."""
        anchor = text(address(0))
        processes = [self.start(number, *([anchor] if number else [])) for number in range(count)]
        self.run(seconds)
        names = {b"n%d" % number: Status.ALIVE for number in range(count)}
        assert all(process.view() == names for process in processes)
        return processes

    def kill(self, number: int) -> None:
        self.processes[number].up = False

    def stop(self, number: int) -> None:
        """SIGSTOP."""
        self.processes[number].stopped = True

    def resume(self, number: int) -> None:
        """SIGCONT: what has piled up is read first."""
        process = self.processes[number]
        process.stopped = False
        for event in process.backlog:
            self.feed(process, event)
        process.backlog.clear()

    def feed(self, process: Process, event: Event) -> None:
        """An event at this instant."""
        if not process.up:
            return
        if process.stopped:
            process.backlog.append(event)
            return
        process.core.handle(event, self.now)
        self._drain(process)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; True as soon as `until` holds."""
        end = self.now + seconds
        while not until():
            ticking = [
                (deadline, process.number)
                for process in self.processes.values()
                if process.up and not process.stopped and (deadline := process.core.deadline()) is not None
            ]
            tick = min(ticking, default=(float("inf"), 0))
            arrival = self._events[0][0] if self._events else float("inf")
            instant = max(self.now, min(tick[0], arrival))
            if instant > end:
                self.now = end
                return until()
            self.now = instant
            if arrival <= tick[0]:
                _, _, process, event = heappop(self._events)
                self.feed(process, event)
            else:
                process = self.processes[tick[1]]
                process.core.tick(self.now)
                deadline = process.core.deadline()
                assert deadline is None or deadline > self.now
                self._drain(process)
        return True

    def _later(self, process: Process, event: Event, delay: float) -> None:
        self._count += 1
        heappush(self._events, (self.now + delay, self._count, process, event))

    def _at(self, where: Address) -> Process | None:
        found = [process for process in self.processes.values() if process.at == where]
        return next((process for process in found if process.up), found[0] if found else None)

    def _drain(self, process: Process) -> None:
        for effect in process.core.effects():
            process.effects.append((self.now, effect))
            match effect:
                case Send():
                    self._send(process, effect)
                case Call():
                    self._call(process, effect)
                case Answer():
                    caller, call = self._open.pop((process.number, effect.stream), (None, 0))
                    if caller is not None and effect.message is not None:
                        self._later(caller, Answered(call, effect.message), LATENCY)
                    elif caller is not None:
                        self._later(caller, CallFailed(call, Failure.REJECTED), LATENCY)
                case Resolve(anchor=anchor):
                    self._later(process, Resolved(anchor, self.names.get(anchor, ())), LATENCY)

    def _send(self, sender: Process, effect: Send) -> None:
        self.bytes += len(effect.data) + 48
        self.packets += 1
        receiver = self._at(effect.destination)
        if receiver is None or self.blocked(sender.number, receiver.number) or self.dice.random() < self.loss:
            return
        if receiver.up:
            self._later(receiver, Datagram(effect.data, sender.at), LATENCY)
        elif self.icmp:
            self._later(sender, Refused(effect.destination), 2 * LATENCY)

    def _call(self, caller: Process, effect: Call) -> None:
        receiver = self._at(effect.destination)
        patience = effect.deadline - self.now
        if receiver is None or self.blocked(caller.number, receiver.number):
            self._later(caller, CallFailed(effect.call, Failure.UNREACHABLE), patience)
        elif not receiver.up:
            self._later(caller, CallFailed(effect.call, Failure.REFUSED), 2 * LATENCY)
        elif receiver.stopped:
            self._later(caller, CallFailed(effect.call, Failure.SILENT), patience)
        else:
            receiver.streams += 1
            self._open[receiver.number, receiver.streams] = (caller, effect.call)
            source = Address(caller.at.ip, 40000)
            self._later(receiver, Accepted(receiver.streams, source, effect.message), 2 * LATENCY)


def text(where: Address) -> str:
    """As an anchor."""
    return f"[{_colons(where)}]:{where.port}"


def _colons(where: Address) -> str:
    return ":".join(where.ip[at : at + 2].hex() for at in range(0, 16, 2))
