"""Whether a turn of the loop is one of those in which only strangers have died.

Between two events no stage of the loop has anything to do, else it would not have slept; and the death of a process
that is nobody's is an event for none of them. So such a turn may end when it has reaped: a thousand orphans that end
one after another wake PID 1 a thousand times.
"""

import signal
from collections.abc import Sequence


class Turn:
    """What has been met since the loop woke up."""

    def __init__(self) -> None:
        self.due = 0.0
        self.died: int | None = None
        """Of whose death a signal has told, if nothing else has woken the loop."""
        self._alone = False

    def woken(self, ready: int, due: float) -> None:
        """So many descriptors are ready; at `due` the loop would have gone on without any."""
        self.due, self.died, self._alone = due, None, ready == 1

    def signalled(self, signals: Sequence[tuple[int, int]]) -> None:
        """These signals have been read, each with its pid."""
        if self._alone and [number for number, _ in signals] == [signal.SIGCHLD]:
            self.died = signals[0][1]

    def met(self) -> None:
        """Something else has happened: it was one of ours that has died."""
        self._alone = False

    def idle(self, now: float) -> bool:
        """True if no stage can have anything to do."""
        return self._alone and self.died is not None and now < self.due
