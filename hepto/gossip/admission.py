"""How much of this node's memory others may hold by streams that are not authenticated yet (trust.md section 7). Pure.

Promises: strangers, who may be anybody on the underlay, can exhaust their own share only: never that of members, nor
that of strangers in other networks but by being in many networks themselves.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hepto.gossip import limits
from hepto.gossip.reasons import GossipError, Reason

STREAM_SECONDS: Final = 10.0
"""From accept to the end of the answer; memberlist's TCPTimeout."""
_NETWORK_BYTES = 8
"""A host has a /64, so a limit for each address would be none."""


@dataclass(frozen=True)
class Bounds:
    """Bytes, and streams at once."""

    network: int = limits.STREAM_UNKNOWN
    """Of all strangers in one /64."""
    member: int = limits.STREAM_GRANTED
    """Of one member's address: a push/pull of thousands of members with full metas."""
    total: int = 8 << 20
    strangers: int = 4 << 20
    """Of all strangers; the rest of `total` is kept for members."""
    streams: int = 128
    """memberlist's limit of push/pulls at once."""
    streams_of_strangers: int = 64
    streams_of_one: int = 32
    """Of one /64 of strangers, or of one member's address."""


class Admission:
    """Counts for all streams that others have opened."""

    def __init__(self, is_member: Callable[[bytes], bool], bounds: Bounds = Bounds()):  # noqa: B008 (frozen)
        self._is_member = is_member
        self._bounds = bounds
        self._held: Counter[tuple[bool, bytes]] = Counter()
        self._streams: Counter[tuple[bool, bytes]] = Counter()

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return sum(self._held.values())

    def open(self, ip: bytes) -> "Ticket":
        """For a stream from this address. Raises GossipError when there are too many."""
        member = self._is_member(ip)
        owner = (member, ip if member else ip[:_NETWORK_BYTES])
        too_many = (
            self._streams[owner] >= self._bounds.streams_of_one
            or self._streams.total() >= self._bounds.streams
            or (not member and _of_strangers(self._streams) >= self._bounds.streams_of_strangers)
        )
        if too_many:
            raise GossipError(Reason.TOO_MANY_STREAMS)
        self._streams[owner] += 1
        return Ticket(self, owner, self._bounds.member if member else self._bounds.network)

    def take(self, owner: tuple[bool, bytes], count: int, limit: int) -> None:
        """`count` more bytes are held for `owner`, who may have `limit`. Raises GossipError and counts nothing then."""
        if self._held[owner] + count > limit:
            raise GossipError(Reason.STREAM_TOO_LARGE)
        member, _ = owner
        crowded = not member and _of_strangers(self._held) + count > self._bounds.strangers
        if crowded or self.held + count > self._bounds.total:
            raise GossipError(Reason.TOO_MANY_STREAMS)
        self._held[owner] += count

    def release(self, owner: tuple[bool, bytes], count: int, streams: int) -> None:
        """The reverse of `take` and `open`."""
        for counter, amount in ((self._held, count), (self._streams, streams)):
            counter[owner] -= amount
            if not counter[owner]:
                del counter[owner]


class Ticket:
    """One stream's part of it."""

    def __init__(self, admission: Admission, owner: tuple[bool, bytes], limit: int):
        self.limit = limit
        """Bytes that no message on it can be longer than."""
        self._admission = admission
        self._owner = owner
        self._held = 0
        self._open = True

    def take(self, count: int) -> None:
        """`count` bytes have come. Raises GossipError when they are too many: drop the stream."""
        self._admission.take(self._owner, count, self.limit)
        self._held += count

    def authenticated(self) -> None:
        """What has come is the message of somebody who has the key: it counts no longer."""
        self._admission.release(self._owner, self._held, 0)
        self._held = 0

    def close(self) -> None:
        """The stream is gone. May be called again."""
        if self._open:
            self._admission.release(self._owner, self._held, 1)
            self._held, self._open = 0, False


def _of_strangers(counter: Counter[tuple[bool, bytes]]) -> int:
    return sum(amount for (member, _), amount in counter.items() if not member)
