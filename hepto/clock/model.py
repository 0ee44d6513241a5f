"""What goes into the clock's machine and what comes out. `offset` is Unix time less the monotonic clock, in seconds."""

from dataclasses import dataclass

from hepto.machine import Effect, Event, WallClock


@dataclass(frozen=True, slots=True)
class Read(Event):
    """The machine's clock as it is now. The first one starts the machine."""

    offset: float
    synchronised: bool | None = None
    """What chronyd says of this time; None: it was not asked, or is there and does not answer."""


@dataclass(frozen=True, slots=True)
class NotOurs(Event):
    """The clock cannot be set: a container has its host's."""


@dataclass(frozen=True, slots=True)
class PeerTime(Event):
    """An authenticated peer's time, made by times.offer only."""

    name: str
    offset: float
    round_trip: float
    master: bool = False
    """Its certificate says that it may sign everything: alone it counts like an answer to a join, till others agree."""


@dataclass(frozen=True, slots=True)
class JoinTime(Event):
    """A master's time, from an authenticated answer to a join or a renewal. Who may sign everything may say this."""

    offset: float


@dataclass(frozen=True, slots=True)
class Handshake(Event):
    """The newest WireGuard handshake with any peer, as the kernel dates it (Unix seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class MeshKeyMade(Event):
    """A new mesh key is durable and in use: no peer has seen a handshake of it."""


@dataclass(frozen=True, slots=True)
class Look(Effect):
    """Feed a `Read`; with `ask` also what chronyd says."""

    ask: bool


@dataclass(frozen=True, slots=True)
class AskPeers(Effect):
    """Ask so many peers, picked at random, for their time, and feed what `times.offer` makes of the answers."""

    count: int


@dataclass(frozen=True, slots=True)
class SetClock(Effect):
    """Set the machine's clock to this much past the monotonic clock."""

    offset: float


@dataclass(frozen=True, slots=True)
class SetRtc(Effect):
    """The machine's real-time clock is to show what its clock does now: for the next boot. Nothing depends on it."""


@dataclass(frozen=True, slots=True)
class Announce(Effect):
    """Every other core is to hear this."""

    clock: WallClock


@dataclass(frozen=True, slots=True)
class Save(Effect):
    """Keep over a reboot, durably: `Floor.saved` and the machine's `handshake` of the next boot (Unix seconds)."""

    clock: float | None
    handshake: float | None


@dataclass(frozen=True, slots=True)
class NewMeshKey(Effect):
    """Peers would refuse this key's handshakes, which are dated before the last they saw: make another, get a grant.

    Said once; `MeshKeyMade` answers it. After a restart in between it is said again, from what was saved.
    """

    why: str
