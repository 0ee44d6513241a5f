"""The queue of news: each piece goes into a limited number of packets, the least sent first.

Selection is memberlist's (section 17): fewest transmissions first, then the longest that fits, then the newest; one
entry per key, so that news about a member replaces older news about it. News of members goes before the application's.
How often is `profile.transmissions`. The receivers are not drawn afresh each time but taken in turn from a
shuffled list (members.py), so no two of a node's transmissions go to one member before all others had theirs. When each
of n others is told by t of n in this way, somebody misses the news n * (1 - t / n)^n of times: with 20 members and
eight transmissions one in 2,000, with six one in 80. Who missed a death finds it by its own probe and is then told
(view.py).
"""

from bisect import bisect_left, insort
from typing import NamedTuple

PART_OVERHEAD = 2
"""A part's length in a compound."""
COMPOUND_OVERHEAD = 2
"""A compound's type and count."""
LARGEST_COMPOUND = 127
"""Parts. The format allows 255, but older receivers misread 128 and more."""
SHORTEST_MESSAGE = 16
"""No message worth spreading is shorter; where less room is left the search ends."""
LARGEST_QUEUE = 4096
"""Entries of one class. The most often sent ones give way."""


class _Entry(NamedTuple):
    """In the order of selection."""

    sent: int
    minus_length: int
    minus_sequence: int
    key: bytes
    data: bytes
    restricted: bool


class Queue:
    """One class of messages."""

    def __init__(self) -> None:
        self._order: list[_Entry] = []
        self._by_key: dict[bytes, _Entry] = {}
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, key: bytes) -> bool:
        return key in self._by_key

    def add(self, key: bytes, data: bytes, *, restricted: bool = False) -> None:
        """In the place of what was queued under this key. `restricted`: only for members of ours."""
        self.drop(key)
        while len(self._order) >= LARGEST_QUEUE:
            self.drop(self._order[-1].key)
        self._sequence += 1
        self._insert(_Entry(0, -len(data), -self._sequence, key, data, restricted))

    def drop(self, key: bytes) -> None:
        """Send it no more."""
        entry = self._by_key.pop(key, None)
        if entry is not None:
            del self._order[bisect_left(self._order, entry)]

    def take(self, room: int, limit: int, count: int, *, ours: bool) -> list[bytes]:
        """At most `count` messages that fit `room` bytes with their part's overhead; each counts as sent once more."""
        chosen: list[_Entry] = []
        for entry in self._order:
            if room < SHORTEST_MESSAGE + PART_OVERHEAD or len(chosen) == count:
                break
            cost = PART_OVERHEAD - entry.minus_length
            if cost <= room and (ours or not entry.restricted):
                chosen.append(entry)
                room -= cost
        for entry in chosen:
            self.drop(entry.key)
            if entry.sent + 1 < limit:
                self._insert(entry._replace(sent=entry.sent + 1))
        return [entry.data for entry in chosen]

    def _insert(self, entry: _Entry) -> None:
        self._by_key[entry.key] = entry
        insort(self._order, entry)


class Broadcasts:
    """Both classes."""

    def __init__(self) -> None:
        self.members = Queue()
        """Keyed by the member's name."""
        self.application = Queue()

    def __len__(self) -> int:
        return len(self.members) + len(self.application)

    def take(self, room: int, limit: int, *, ours: bool, count: int = LARGEST_COMPOUND) -> list[bytes]:
        """What goes into a packet for a member (`ours`: one of ours) with so many bytes of room for parts."""
        parts = self.members.take(room, limit, count, ours=ours)
        if self.application and len(parts) < count:
            room -= sum(len(part) + PART_OVERHEAD for part in parts)
            parts += self.application.take(room, limit, count - len(parts), ours=ours)
        return parts
