"""The rules of merging as tables: what is said of a member, against what we know of it, gives one verdict.

The columns compare incarnations: what is said is (older than, the same as, newer than) what is known. For a node at one
address the tables are a join: the pair (incarnation, rank of the status) only ever grows, ranks being alive < suspect <
dead < left. So the order in which news arrives does not matter, nor how often. memberlist's rules (memberlist-wire.md
section 13) are the same where a cluster behaves; where theirs depend on the order of arrival ours do not:

    theirs                                            ours
    an accusation newer than a death is ignored       it is taken in: the member has lived since
    a farewell after a death is ignored               dead becomes left
    a newer accusation confirms an older suspicion    it starts a new one: the member has refuted in between
"""

from enum import Enum
from typing import TypeAlias

from hepto.gossip.messages import Status


class Verdict(Enum):
    IGNORE = "ignore"
    ACCEPT = "accept"
    """It is alive, with what is said of it."""
    SUSPECT = "suspect"
    """A suspicion begins."""
    CONFIRM = "confirm"
    """One more accuser of a running suspicion."""
    BURY = "bury"
    """It is dead, or has left."""
    REFUTE = "refute"
    """It is about us and not so."""
    RECLAIM = "reclaim"
    """Its name is free for a new address: at once if the news is newer or the old holder was not of ours."""
    MOVE = "move"
    """It is at a new address if the application sees that proved; else this is a conflict."""
    CONFLICT = "conflict"
    """Two nodes claim one name."""


Row: TypeAlias = tuple[Verdict, Verdict, Verdict]

_IGNORE, _ACCEPT, _SUSPECT, _CONFIRM, _BURY = (
    Verdict.IGNORE,
    Verdict.ACCEPT,
    Verdict.SUSPECT,
    Verdict.CONFIRM,
    Verdict.BURY,
)
_REFUTE, _RECLAIM, _MOVE, _CONFLICT = Verdict.REFUTE, Verdict.RECLAIM, Verdict.MOVE, Verdict.CONFLICT

# fmt: off
OTHERS: dict[tuple[int, int], Row] = {
    # (said, known):                  older     same       newer
    (Status.ALIVE, Status.ALIVE):     (_IGNORE, _IGNORE,  _ACCEPT),
    (Status.ALIVE, Status.SUSPECT):   (_IGNORE, _IGNORE,  _ACCEPT),
    (Status.ALIVE, Status.DEAD):      (_IGNORE, _IGNORE,  _ACCEPT),
    (Status.ALIVE, Status.LEFT):      (_IGNORE, _IGNORE,  _ACCEPT),
    (Status.SUSPECT, Status.ALIVE):   (_IGNORE, _SUSPECT, _SUSPECT),
    (Status.SUSPECT, Status.SUSPECT): (_IGNORE, _CONFIRM, _SUSPECT),
    (Status.SUSPECT, Status.DEAD):    (_IGNORE, _IGNORE,  _SUSPECT),
    (Status.SUSPECT, Status.LEFT):    (_IGNORE, _IGNORE,  _SUSPECT),
    (Status.DEAD, Status.ALIVE):      (_IGNORE, _BURY,    _BURY),
    (Status.DEAD, Status.SUSPECT):    (_IGNORE, _BURY,    _BURY),
    (Status.DEAD, Status.DEAD):       (_IGNORE, _IGNORE,  _BURY),
    (Status.DEAD, Status.LEFT):       (_IGNORE, _IGNORE,  _BURY),
    (Status.LEFT, Status.ALIVE):      (_IGNORE, _BURY,    _BURY),
    (Status.LEFT, Status.SUSPECT):    (_IGNORE, _BURY,    _BURY),
    (Status.LEFT, Status.DEAD):       (_IGNORE, _BURY,    _BURY),
    (Status.LEFT, Status.LEFT):       (_IGNORE, _IGNORE,  _BURY),
}
"""About somebody else, at the address that we know."""

ELSEWHERE: dict[int, Row] = {
    # known:        older       same        newer
    Status.ALIVE:   (_CONFLICT, _CONFLICT, _MOVE),
    Status.SUSPECT: (_CONFLICT, _CONFLICT, _MOVE),
    Status.DEAD:    (_CONFLICT, _CONFLICT, _MOVE),
    Status.LEFT:    (_RECLAIM,  _RECLAIM,  _RECLAIM),
}
"""Somebody else is said to be alive, at another address."""

OURSELVES: dict[Status, Row] = {
    # said:         older     same      newer
    Status.ALIVE:   (_IGNORE, _REFUTE, _REFUTE),
    Status.SUSPECT: (_IGNORE, _REFUTE, _REFUTE),
    Status.DEAD:    (_IGNORE, _REFUTE, _REFUTE),
    Status.LEFT:    (_IGNORE, _REFUTE, _REFUTE),
}
"""About us. `alive` of our own incarnation is refuted only if it differs from what we say of ourselves."""
# fmt: on


def verdict(row: Row, said: int, known: int) -> Verdict:
    """The cell of a row for two incarnations."""
    return row[0] if said < known else row[1] if said == known else row[2]
