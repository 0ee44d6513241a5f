"""What the core asks of the application above it, without knowing keys, grants or serf.

Two of these exist: ours (plain.py) and serf's (serf.py). Both are as free of I/O, clock and dice as the core.
"""

from typing import NamedTuple, Protocol

from hepto.gossip.messages import Alive, Status
from hepto.gossip.model import Change, Claim


class Reaction(NamedTuple):
    """What follows from an application's message."""

    broadcast: tuple[bytes, ...] = ()
    """User messages to pass on to all, as they are."""
    received: tuple[bytes, ...] = ()
    """For the driver, as `Received`."""


class Application(Protocol):
    """Bytes that are not memberlist's own."""

    versions: bytes
    """Six bytes, as in `Alive.versions`."""

    def is_ours(self, meta: bytes) -> bool:
        """True if a member with this meta understands our extensions (extension.py)."""

    def may_move(self, known: Claim, alive: Alive) -> bool:
        """True if one of ours proves that it is at `alive.address` now: its endpoint record is newer and signed."""

    def shared(self, members: tuple[tuple[bytes, Status], ...]) -> bytes:
        """The user state of a push/pull, at most limits.USER_STATE bytes."""

    def merge(self, state: bytes) -> Reaction:
        """Take over somebody's user state. Raises GossipError; nothing was changed then."""

    def message(self, data: bytes) -> Reaction:
        """Take in a user message that is no extension of ours. Raises GossipError; nothing was changed then."""

    def changed(self, change: Change, claim: Claim) -> Reaction:
        """The core's view of a member has changed."""

    def share(self, data: bytes) -> None:
        """From now on every push/pull carries this (`SetShared`)."""

    def farewell(self) -> tuple[bytes, ...]:
        """User messages to broadcast, and to have passed on, before memberlist's own leave. Often none."""
