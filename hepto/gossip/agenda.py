"""All timers of the core in one heap, so that it has one deadline and a timer cannot go stale.

A pause is noticed here: when the world comes back later than the deadline by more than `TOLERANCE`, this process was
stopped or starved (the driver calls on time otherwise). Timers that wait for others, and would blame them, are put
off then by what was slept through, plus a little in which the input that has piled up can be read.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

OFF = float("inf")
TOLERANCE = 0.3
"""Seconds. Above the delays of a busy machine's scheduler, below a probe's time."""
GRACE = 0.5
"""Seconds after a pause in which nobody is blamed."""


class Timer:
    """Calls `action(now)` once at `when`; must be set again for a second time."""

    __slots__ = ("action", "patient", "when")

    def __init__(self, action: Callable[[float], None], *, patient: bool = False):
        self.action = action
        self.patient = patient
        """It waits for somebody else, so a pause of ours does not count."""
        self.when = OFF


class Agenda:
    """The heap. Entries whose time is no longer their timer's are skipped."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0

    def set(self, timer: Timer, when: float) -> None:
        """Replaces what was set before."""
        if when != timer.when:
            timer.when = when
            self._count += 1
            heappush(self._heap, (when, self._count, timer))

    def cancel(self, timer: Timer) -> None:
        timer.when = OFF

    def deadline(self) -> float | None:
        """The earliest timer's time."""
        heap = self._heap
        while heap:
            when, _, timer = heap[0]
            if when == timer.when:
                return when
            heappop(heap)
        return None

    def slept(self, now: float) -> float:
        """Seconds of a pause that ends now; 0.0: there was none. Patient timers have been put off if there was."""
        due = self.deadline()
        if due is None or now - due <= TOLERANCE:
            return 0.0
        late = now - due
        waiting = [timer for when, _, timer in self._heap if timer.patient and when == timer.when]
        for timer in waiting:
            timer.when += late + GRACE
            self._count += 1
            self._heap.append((timer.when, self._count, timer))
        heapify(self._heap)
        return late

    def run(self, now: float) -> None:
        """Call everything that is due, in order."""
        while (due := self.deadline()) is not None and due <= now:
            timer = heappop(self._heap)[2]
            timer.when = OFF
            timer.action(now)
