"""The messages of memberlist's protocol as values, before and after the wire.

Shapes follow memberlist-wire.md section 5. Names and addresses are bytes as they were received: a name need not be
UTF-8, and an address that is passed on must not change its form (an IPv4 address may come in its mapped form).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from hepto.gossip.reasons import Reason


class Address(NamedTuple):
    """Where a member listens, UDP and TCP."""

    ip: bytes
    """4 or 16 bytes; on our own sockets always 16."""
    port: int
    """1-65535."""


class Status(IntEnum):
    """A member's state; the numbers are those of push/pull."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


@dataclass(frozen=True, slots=True)
class Ping:
    sequence: int
    node: bytes = b""
    """Whom it is for; empty: whoever gets it."""
    source: Address | None = None
    source_node: bytes = b""


@dataclass(frozen=True, slots=True)
class IndirectPing:
    sequence: int
    target: Address
    node: bytes
    nack: bool = False
    """Say so too when the target did not answer."""
    source: Address | None = None
    source_node: bytes = b""


@dataclass(frozen=True, slots=True)
class Ack:
    sequence: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Nack:
    sequence: int


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """An answer on a stream."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Suspect:
    incarnation: int
    node: bytes
    accuser: bytes


@dataclass(frozen=True, slots=True)
class Dead:
    incarnation: int
    node: bytes
    accuser: bytes
    """The node itself: it has left."""


@dataclass(frozen=True, slots=True)
class Alive:
    incarnation: int
    node: bytes
    address: Address
    meta: bytes
    """At most 512 bytes."""
    versions: bytes
    """Protocol minimum, maximum, current; application minimum, maximum, current."""


@dataclass(frozen=True, slots=True)
class User:
    """Of the application: ours (extension.py), serf's (serf.py), or somebody's."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NodeState:
    """A member in a push/pull."""

    name: bytes
    address: Address
    meta: bytes
    incarnation: int
    status: int
    """A `Status`, or a number that nobody knows (ignored)."""
    versions: bytes


@dataclass(frozen=True, slots=True)
class PushPull:
    """One side's whole view."""

    states: tuple[NodeState, ...]
    user_state: bytes = b""
    join: bool = False
    refused: tuple[Reason, ...] = ()
    """On receipt: why states that nobody should believe were left out of `states`; never sent."""


PacketMessage: TypeAlias = Ping | IndirectPing | Ack | Nack | Suspect | Dead | Alive | User
"""What may travel in a datagram, once unwrapped."""

StreamMessage: TypeAlias = Ping | Ack | User | PushPull | ErrorMessage
"""What may travel on a connection."""
