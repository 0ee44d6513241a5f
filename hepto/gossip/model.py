"""Events and effects of the gossip core: all that it and the world say to each other.

Datagrams are bytes in both directions, since how many messages fit is the core's affair; streams are whole messages,
since how they are cut into segments is not. Connections are known by small integers that only count up.
"""

from dataclasses import dataclass
from enum import Enum

from hepto.gossip.messages import Address, Ping, PushPull, Status, StreamMessage
from hepto.machine import Effect, Event


class Failure(Enum):
    """Why a call of ours had no answer. The difference is evidence: see suspicion.py."""

    REFUSED = "refused"
    """The host is there and nobody listens: the process has ended."""
    UNREACHABLE = "unreachable"
    """No connection within the time."""
    SILENT = "silent"
    """Connected (by the kernel at least), but no answer within the time: stopped, starved, or not a member."""
    REJECTED = "rejected"
    """An answer that is an error or does not make sense; `CallFailed.detail` tells."""


# -- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The sockets are bound."""


@dataclass(frozen=True, slots=True)
class Datagram(Event):
    data: bytes
    source: Address


@dataclass(frozen=True, slots=True)
class Accepted(Event):
    """Somebody connected and has sent one whole message. It is owed one `Answer`."""

    stream: int
    source: Address
    message: StreamMessage


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """What came back on a `Call`."""

    call: int
    message: StreamMessage


@dataclass(frozen=True, slots=True)
class CallFailed(Event):
    call: int
    failure: Failure
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """An ICMP error says that nobody listens for datagrams at this address any more."""

    destination: Address


@dataclass(frozen=True, slots=True)
class Resolved(Event):
    """What a `Resolve` has found; nothing when the name could not be resolved."""

    anchor: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Rejected(Event):
    """The driver has dropped a stream's input; `reason` is a `reasons.Reason` value. Only counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class SetMeta(Event):
    """Tell all members something new about this one."""

    meta: bytes


@dataclass(frozen=True, slots=True)
class SetAddress(Event):
    """The underlay was renumbered: this is where others reach us from now on."""

    address: Address


@dataclass(frozen=True, slots=True)
class SetAnchors(Event):
    anchors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broadcast(Event):
    """Pass `data` (beginning with its magic) on to every member of ours."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SetShared(Event):
    """What every push/pull carries beside the members, e.g. the revocation list. The application says what is newer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Leave(Event):
    """Say farewell; `Departed` follows when it has been passed on."""


# -- effects --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send(Effect):
    destination: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer(Effect):
    """Send the message, if any, and close."""

    stream: int
    message: StreamMessage | None


@dataclass(frozen=True, slots=True)
class Call(Effect):
    """Connect, send, and hand in one `Answered` or `CallFailed` before `deadline` (monotonic)."""

    call: int
    destination: Address
    message: Ping | PushPull
    deadline: float


@dataclass(frozen=True, slots=True)
class Resolve(Effect):
    anchor: str


class Change(Enum):
    """What has become of a member."""

    JOINED = "joined"
    SUSPECTED = "suspected"
    REFUTED = "refuted"
    FAILED = "failed"
    LEFT = "left"
    MOVED = "moved"
    UPDATED = "updated"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Claim:
    """What gossip says of a node: a hint from whoever holds the gossip key, never a reason to trust it.

    Only a grant (trust.md section 2), verified from `meta`, makes a member of the mesh; no function that changes peers
    or trust takes a Claim.
    """

    name: bytes
    address: Address
    meta: bytes
    incarnation: int
    status: Status
    since: float
    """Monotonic seconds of the last change of `status`."""
    round_trip: float | None = None
    """Smoothed, seconds; None: never measured from here."""


@dataclass(frozen=True, slots=True)
class MemberChanged(Effect):
    change: Change
    claim: Claim


@dataclass(frozen=True, slots=True)
class Conflict(Effect):
    """Two nodes claim one name. The first keeps it."""

    name: bytes
    known: Address
    other: Address


@dataclass(frozen=True, slots=True)
class Received(Effect):
    """An application's message, as broadcast or in a push/pull. From any holder of the key: verify it."""

    data: bytes
    shared: bool = False
    """It came as what a push/pull carries (`SetShared`)."""


@dataclass(frozen=True, slots=True)
class Sighted(Effect):
    """A member says from which address it sees our datagrams come: a hint for the mesh's endpoint."""

    observer: bytes
    address: Address


@dataclass(frozen=True, slots=True)
class Remember(Effect):
    """The members worth trying after a restart have changed, or our incarnation has."""

    incarnation: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Departed(Effect):
    """The farewell has been passed on: the sockets may be closed."""
