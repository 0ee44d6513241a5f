"""Virtual time: what is to happen, and when. Nothing waits: the clock jumps to whatever is next."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeVarTuple, cast

Arguments = TypeVarTuple("Arguments")


class Clock:
    """Actions happen in the order of their time; those of one instant in the order in which they were asked for."""

    __slots__ = ("_due", "_serial", "now")

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the run began; never decreases."""
        self._due: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._serial = 0

    def at(self, when: float, action: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        """Do this at `when`, or now if that is past."""
        self._serial += 1
        entry = (
            max(when, self.now),
            self._serial,
            cast(Callable[..., None], action),
            cast(tuple[object, ...], arguments),
        )
        heappush(self._due, entry)

    def run(self, until: float) -> None:
        """Let everything happen that is due up to and at `until`."""
        due = self._due
        while due and due[0][0] <= until:
            self.now, _, action, arguments = heappop(due)
            action(*arguments)
        self.now = max(self.now, until)
