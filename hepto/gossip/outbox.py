"""Everything that leaves the core: effects in order, and datagrams filled up with news.

A datagram takes at most `packet_bytes`; what room its own messages leave is given to the queue of news.
"""

from collections.abc import Callable

from hepto.gossip.broadcasts import COMPOUND_OVERHEAD, PART_OVERHEAD, Broadcasts
from hepto.gossip.members import canonical
from hepto.gossip.messages import Address, Ping, PushPull
from hepto.gossip.model import Call, Send
from hepto.gossip.wire import Envelope
from hepto.machine import Effect, Level, Note


class Outbox:
    """`transmissions` tells how often a piece of news is sent at present."""

    def __init__(self, envelope: Envelope, packet_bytes: int, first_sequence: int, transmissions: Callable[[], int]):
        self.news = Broadcasts()
        self._envelope = envelope
        self._room = packet_bytes - envelope.overhead - COMPOUND_OVERHEAD
        self._transmissions = transmissions
        self._effects: list[Effect] = []
        self._sequence = first_sequence
        self._calls = 0

    def drain(self) -> tuple[Effect, ...]:
        """All since the last time."""
        effects = tuple(self._effects)
        self._effects.clear()
        return effects

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def note(self, level: Level, what: str, **fields: str) -> None:
        """A line for the log."""
        self._effects.append(Note(level, what, tuple(fields.items())))

    def next_sequence(self) -> int:
        """Of pings: u32, wraps."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return self._sequence

    def call(self, destination: Address, message: Ping | PushPull, deadline: float) -> int:
        """Starts a stream; the number by which its end will be known."""
        self._calls += 1
        self._effects.append(Call(self._calls, canonical(destination), message, deadline))
        return self._calls

    def send(self, destination: Address, *parts: bytes, ours: bool = False) -> None:
        """Encoded messages, filled up with news (`ours`: also with such as only members of ours understand)."""
        if self.news:
            room = self._room - sum(len(part) + PART_OVERHEAD for part in parts)
            parts += tuple(self.news.take(room, self._transmissions(), ours=ours))
        self.send_only(destination, *parts)

    def send_only(self, destination: Address, *parts: bytes) -> None:
        """Encoded messages and nothing else."""
        self._effects.append(Send(canonical(destination), self._envelope.seal(parts)))

    def send_news(self, destination: Address, *, ours: bool) -> bool:
        """False if there are none for it."""
        parts = self.news.take(self._room, self._transmissions(), ours=ours)
        if parts:
            self.send_only(destination, *parts)
        return bool(parts)
