"""The one shape of every stateful core: events in, effects out, one deadline (architecture.md section 2).

A core promises to ask the world for nothing: the time is the argument `now` (monotonic seconds), randomness a
`random.Random` given at construction, wall time the event `WallClock`. So one pump drives all cores, one simulator runs
a cluster of them under a virtual clock with the production code, and a bug report is a list of `(now, event)`.

Events and effects are frozen dataclasses, comparable and printable, and never hold a key in a field that repr shows.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened outside: a datagram, a netlink fact, an answer, an operator's order."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that the driver shall do: send bytes, write a file, set a peer."""


class Confidence(IntEnum):
    """How far the wall clock is to be trusted, least first."""

    FLOOR = 0
    """Not before this: the image's build time or the last time that was saved."""
    PEERS = 1
    """Authenticated peers agree."""
    SYNCHRONISED = 2
    """NTP has set it."""


@dataclass(frozen=True, slots=True)
class WallClock(Event):
    """Unix time is the monotonic clock plus `offset`. Sent again after every step, so that deadlines are armed anew."""

    offset: float
    confidence: Confidence


class Level(IntEnum):
    """How much a line of the log matters; the numbers are those of syslog(3)."""

    ERROR = 3
    WARNING = 4
    INFO = 6
    DEBUG = 7


@dataclass(frozen=True, slots=True)
class Note(Effect):
    """A line for the log: what was decided, or why an input was dropped. For tests reasons are thereby observable."""

    level: Level
    what: str
    fields: tuple[tuple[str, str], ...] = ()


EventT_contra = TypeVar("EventT_contra", bound=Event, contravariant=True)
EffectT_co = TypeVar("EffectT_co", bound=Effect, covariant=True)


class Machine(Protocol[EventT_contra, EffectT_co]):
    """What the pump and the simulator need to know about a core."""

    def handle(self, event: EventT_contra, now: float) -> None:
        """Take in one event."""

    def tick(self, now: float) -> None:
        """Time has reached `deadline()`. A call that comes early or twice does nothing."""

    def deadline(self) -> float | None:
        """The earliest instant at which it wants `tick`, or None. One number, so no timer can go stale."""

    def effects(self) -> tuple[EffectT_co, ...]:
        """Hand out, once, what is to be done since the last call, in order."""
