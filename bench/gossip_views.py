"""Who sees whom: the book of one cluster, kept from what its members say.

A member says that it sees another (JOINED) or does so no more (FAILED, LEFT); of itself it need not speak. A failure
counts as noticed when its subject was ended by us, else as false. Pure: time comes with each entry.
"""

from collections.abc import Collection
from enum import Enum
from typing import NamedTuple


class What(Enum):
    """What a member says of another."""

    JOINED = "joined"
    FAILED = "failed"
    LEFT = "left"


class Sight(NamedTuple):
    """One thing said."""

    what: What
    subject: str


class Views:
    """All members' views. Names are any strings."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}
        self._ended: str | None = None
        self.noticed: dict[str, float] = {}
        """When each survivor said that the one that was ended last has failed; seconds of the caller's clock."""
        self.false: list[tuple[str, str]] = []
        """Observer and subject of every failure that was none."""

    def started(self, name: str) -> None:
        """A member runs (again); it sees nobody yet."""
        self._seen[name] = set()
        if name == self._ended:
            self._ended = None

    def ended(self, name: str) -> None:
        """A member was ended by us: from now on it is right to say so. One at a time."""
        del self._seen[name]
        self._ended = name
        self.noticed = {}

    def take(self, time: float, observer: str, sight: Sight) -> None:
        """Enter what `observer` says. What an ended one has said before its end is void."""
        if observer not in self._seen:
            return
        if sight.what is What.JOINED:
            self._seen[observer].add(sight.subject)
            return
        self._seen[observer].discard(sight.subject)
        if sight.what is What.LEFT:
            return
        if sight.subject == self._ended:
            self.noticed.setdefault(observer, time)
        else:
            self.false.append((observer, sight.subject))

    def converged(self) -> bool:
        """Everybody who runs sees everybody who runs."""
        running = self._seen.keys()
        return all(running - {name} <= seen for name, seen in self._seen.items())

    def all_noticed(self) -> bool:
        """Every survivor has said that the ended one has failed."""
        return self.noticed.keys() >= self._seen.keys()

    def false_about(self, subjects: Collection[str], since: int = 0) -> int:
        """How many of the false failures, from number `since` on, are about one of these."""
        return sum(subject in subjects for _, subject in self.false[since:])
