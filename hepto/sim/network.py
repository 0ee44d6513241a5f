"""What becomes of a datagram: delayed, lost, doubled, held back, damaged, or cut off. Decides; delivers nothing.

Each pair of machines has its own latency, the same in both directions and for the whole run: links are long or short,
they do not flicker. On it comes jitter. A datagram that is reordered is held back long enough for others to pass.
Machines are numbers.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

JITTER = 0.1
"""The most that is added to a latency, as a part of it."""
HOLD = 3.0
"""The longest that a reordered datagram is held back, in latencies of its link."""
MOST_MISSING = 0.99
"""The highest loss that a stream is reckoned with, so that each ends some time."""
MIX = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
"""Odd multipliers that scatter consecutive numbers over 32 bits (the fractional golden ratio, and two primes)."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How the network treats datagrams at some time. Rates are probabilities of one datagram, 0 to 1."""

    shortest: float = 0.0002
    longest: float = 0.001
    """Latencies of links, one way, seconds. The default is that of one building."""
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    """One byte arrives changed."""


class Cut(NamedTuple):
    """Nothing gets from `sources` to `destinations`."""

    sources: frozenset[int]
    destinations: frozenset[int]


def separate(group: Collection[int], others: Collection[int]) -> tuple[Cut, Cut]:
    """A partition: nothing passes in either direction."""
    here, there = frozenset(group), frozenset(others)
    return Cut(here, there), Cut(there, here)


class Network:
    """The links between all machines."""

    def __init__(self, dice: random.Random, quality: Quality | None = None):
        self.quality = quality or Quality()
        self.cuts: list[Cut] = []
        self._dice = dice
        self._scatter = dice.getrandbits(32)

    def is_cut(self, source: int, destination: int) -> bool:
        """Nothing gets there now."""
        return any(source in cut.sources and destination in cut.destinations for cut in self.cuts)

    def latency(self, one: int, other: int) -> float:
        """Seconds one way between two machines, without jitter."""
        low, high = (one, other) if one < other else (other, one)
        mixed = (low * MIX[0] ^ high * MIX[1] ^ self._scatter) * MIX[2] & 0xFFFFFFFF
        quality = self.quality
        # The upper half of a product is the well mixed one.
        return quality.shortest + (quality.longest - quality.shortest) * (mixed >> 16) / 0xFFFF

    def flight(self, one: int, other: int) -> float:
        """Seconds that one datagram takes, with jitter."""
        return self.latency(one, other) * (1 + JITTER * self._dice.random())

    def deliveries(self, source: int, destination: int) -> tuple[float, ...]:
        """After how many seconds each copy of a datagram arrives; none if it does not."""
        quality, roll = self.quality, self._dice.random
        if self.cuts and self.is_cut(source, destination):
            return ()
        if quality.loss and roll() < quality.loss:
            return ()
        delay = self.flight(source, destination)
        if quality.reorder and roll() < quality.reorder:
            delay *= 1 + HOLD * roll()
        if quality.duplicate and roll() < quality.duplicate:
            return delay, delay + self.flight(source, destination)
        return (delay,)

    def retries(self, packets: int) -> int:
        """How often some packets of a stream must be sent again (damaged ones too: TCP has a checksum)."""
        missing, roll = min(self.quality.loss + self.quality.corrupt, MOST_MISSING), self._dice.random
        rounds = 0
        while missing and (packets := sum(roll() < missing for _ in range(packets))):
            rounds += 1
        return rounds

    def carry(self, data: bytes) -> bytes:
        """The bytes as they arrive: now and then one of them is another."""
        if not self.quality.corrupt or not data or self._dice.random() >= self.quality.corrupt:
            return data
        place = self._dice.randrange(len(data))
        return data[:place] + bytes([data[place] ^ self._dice.randrange(1, 256)]) + data[place + 1 :]
