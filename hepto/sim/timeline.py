"""What happened in a run: what nodes came to believe, and what was done to them. The material of report and picture."""

from dataclasses import dataclass, field
from typing import NamedTuple

from hepto.gossip.messages import Status
from hepto.gossip.model import Change
from hepto.sim.faults import Kind


class Turn(NamedTuple):
    """A node has changed its mind about another."""

    time: float
    observer: int
    subject: int
    change: Change
    status: Status


class Happening(NamedTuple):
    """A fault has begun."""

    kind: Kind
    begin: float
    end: float | None
    """None: it does not end, or was over at once."""
    nodes: tuple[int, ...]
    """Of a partition: both sides of it, since each loses the other."""
    group: tuple[int, ...] = ()
    """Of a partition: the nodes that were named."""


class Agreement(NamedTuple):
    """All views have become equal and true, or are so no longer."""

    time: float
    is_equal: bool


@dataclass(slots=True)
class Timeline:
    """In the order of time."""

    turns: list[Turn] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    equal: list[Agreement] = field(default_factory=list)
    """At first they are not."""

    def equal_after(self, begin: float) -> float | None:
        """The first instant at or after `begin` at which all views were equal; None if there was none."""
        was = False
        for time, is_equal in self.equal:
            if was and time > begin:
                return begin
            if is_equal and time >= begin:
                return time
            was = is_equal
        return begin if was else None
