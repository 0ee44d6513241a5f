"""Reaps children, in one place: look, record, reap, tell. An exception in between loses no death.

Promises: never waits; takes a batch at a time, so that a thousand orphans do not hold up the rest of the loop. A death
whose telling raises is told again (inbox.py); then `Supervisor.check` has to put things right.
"""

import os
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from init.inbox import Inbox

BATCH = 256
LOOK_AGAIN = 0.004
"""Seconds until it is looked who else has died when a signal told of one: signals of one kind are merged."""
STORM = 16
"""So many deaths between two looks are a storm: a look at many costs less than a signal for each."""


class Death(NamedTuple):
    """A process that has ended: waitid's si_code and si_status."""

    pid: int
    code: int
    status: int


class Reaper:
    """`told(pid, kind, value)` hears of each death: 'exit' and the code, or 'signal' and its number."""

    def __init__(self, told: Callable[[int, str, int], None]):
        self._told = told
        self._deaths: Inbox[Death] = Inbox()
        self._again = True  # of who died before an exec no signal may be left
        self._since = 0  # deaths since the last look
        self.look_at = inf
        """When it is to be looked who else has died."""

    @property
    def quiet_until(self) -> float:
        """In a storm no signal need be read until then."""
        return self.look_at if self._since >= STORM else 0.0

    @property
    def more(self) -> bool:
        """There may be more to do without any new signal."""
        return self._again or len(self._deaths) > 0

    def again(self) -> None:
        """A SIGCHLD was taken by somebody else."""
        self._again = True

    def record(self, pid: int, code: int, status: int) -> None:
        """A death that was seen, to be told at the next `reap`."""
        self._deaths.add(Death(pid, code, status))

    def reap(self, now: float, died: int | None = None) -> None:
        """Take the dead and tell of them; `died`: all that is known is that a signal has told of this one.

        To find the next that is dead, the kernel looks at one child after another (kernel/exit.c, do_wait): with a
        thousand of them that takes longer than all else. So it is asked for the one, and for any within `LOOK_AGAIN`.
        """
        if died is None or self._again or now >= self.look_at:
            self._again = True  # until no more are found
            self._since = self._take_all()
            self._again = self._since == BATCH
            self.look_at = now + LOOK_AGAIN if self._since >= STORM else inf
        else:
            self._again = True  # until it is taken
            self._since += self._take(os.P_PID, died)
            self._again, self.look_at = False, min(self.look_at, now + LOOK_AGAIN)
        self._deaths.deliver(self._tell)

    def _take_all(self) -> int:
        """How many; of BATCH there may be more."""
        for number in range(BATCH):
            if not self._take(os.P_ALL, 0):
                return number
        return BATCH

    def _take(self, kind: int, number: int) -> bool:
        """False if none such is dead."""
        try:
            found = os.waitid(kind, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            found = None
        if found is None:
            return False
        self.record(found.si_pid, found.si_code, found.si_status)
        os.waitpid(found.si_pid, os.WNOHANG)
        return True

    def _tell(self, death: Death) -> None:
        self._told(death.pid, "exit" if death.code == os.CLD_EXITED else "signal", death.status)
