"""Who is known: one record a member, in the order in which they are probed and gossiped to.

A cluster of a thousand is held a thousand times over in one simulation, so a member is a few slots around its
`NodeState`, which is passed on and compared as it is.
"""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hepto.gossip.messages import Address, NodeState, Status
from hepto.gossip.model import Change, Claim
from hepto.gossip.suspicion import Suspicion

LARGEST_HISTORY = 16
LARGEST_TABLE = 16384
"""Members. Beyond it nobody new is taken in."""
SMOOTHING = 0.125
"""Weight of a new round trip (RFC 6298's alpha)."""

_MAPPED = bytes(10) + b"\xff\xff"


class Incident(NamedTuple):
    """One line of a member's history."""

    time: float
    what: Change
    why: str
    """Who said so, or what we saw."""


class Member:
    """What we know of one node. `record.status` is a Status here."""

    __slots__ = ("history", "ours", "record", "round_trip", "since", "suspicion")

    def __init__(self, record: NodeState, *, ours: bool, now: float):
        self.record = record
        self.ours = ours
        """It understands our extensions."""
        self.since = now
        self.round_trip: float | None = None
        self.suspicion: Suspicion | None = None
        self.history: tuple[Incident, ...] = ()

    @property
    def live(self) -> bool:
        """Alive or suspect."""
        return self.record.status <= Status.SUSPECT

    def measured(self, round_trip: float) -> None:
        """Its answer took so long."""
        known = self.round_trip
        self.round_trip = round_trip if known is None else known + SMOOTHING * (round_trip - known)

    def remember(self, incident: tuple[Incident]) -> None:
        """A tuple of one, so that all who came by one push/pull share it."""
        self.history = (*self.history[1 - LARGEST_HISTORY :], *incident) if self.history else incident

    def claim(self) -> Claim:
        """For those outside."""
        record = self.record
        return Claim(
            record.name,
            record.address,
            record.meta,
            record.incarnation,
            Status(record.status),
            self.since,
            self.round_trip,
        )


def canonical(address: Address) -> Address:
    """For sending and comparing: IPv4 in its mapped form. What is passed on keeps the form in which it came."""
    return address if len(address.ip) == 16 else Address(_MAPPED + address.ip, address.port)


class Members:
    """All of them, ourselves included."""

    def __init__(self, own: Member):
        self.own = own
        self._by_name = {own.record.name: own}
        self._order: list[Member] = []
        self._probe_at = 0
        self._gossip_at = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_name.values())

    def get(self, name: bytes) -> Member | None:
        return self._by_name.get(name)

    def at(self, address: Address) -> Member | None:
        """A live one at this address, if any; may be ourselves."""
        wanted = canonical(address)
        return next((member for member in self if member.live and canonical(member.record.address) == wanted), None)

    def others(self) -> Iterator[Member]:
        """The live ones without us."""
        return (member for member in self._order if member.live)

    def alone(self) -> bool:
        """True if no other is live."""
        return next(self.others(), None) is None

    def add(self, member: Member, dice: random.Random) -> None:
        """At a random place of the order, so that not all others probe a newcomer at once."""
        self._by_name[member.record.name] = member
        self._order.insert(int(dice.random() * (len(self._order) + 1)), member)

    def next_to_probe(self) -> Member | None:
        """In turn; None at the end of the list (see `turn`)."""
        while self._probe_at < len(self._order):
            member = self._order[self._probe_at]
            self._probe_at += 1
            if member.live:
                return member
        return None

    def turn(self, dice: random.Random, buried_before: float) -> list[Member]:
        """Begin the list anew, shuffled, without those that were buried before that time, which are returned."""
        gone = [member for member in self._order if not member.live and member.since < buried_before]
        for member in gone:
            del self._by_name[member.record.name]
        if gone:
            self._order = [member for member in self._order if member.live or member.since >= buried_before]
        dice.shuffle(self._order)
        self._probe_at = 0
        return gone

    def next_to_gossip(self, count: int, accept: Callable[[Member], bool]) -> list[Member]:
        """The next `count` in turn that are accepted: everybody is served before anybody is served again."""
        chosen: list[Member] = []
        for _ in range(len(self._order)):
            self._gossip_at = (self._gossip_at + 1) % len(self._order)
            member = self._order[self._gossip_at]
            if accept(member):
                chosen.append(member)
                if len(chosen) == count:
                    break
        return chosen

    def choose(self, count: int, dice: random.Random, accept: Callable[[Member], bool]) -> list[Member]:
        """Distinct random ones: drawn while that is quick, else out of all that there are."""
        chosen: list[Member] = []
        size = len(self._order)
        for _ in range(3 * count if size > 3 * count else 0):
            member = self._order[int(dice.random() * size)]
            if accept(member) and member not in chosen:
                chosen.append(member)
                if len(chosen) == count:
                    return chosen
        rest = [member for member in self._order if accept(member)]
        return dice.sample(rest, min(count, len(rest)))
