"""Reaps children, in one place: look, record, reap, tell. An exception in between loses no death.

Promises: never waits; takes a batch at a time, so that a thousand orphans do not hold up the rest of the loop. A death
whose telling raises is told again (inbox.py); then `Supervisor.check` has to put things right.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from init.inbox import Inbox

BATCH = 256


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
        self._again = False

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

    def reap(self) -> None:
        """Take the dead and tell of them."""
        self._again = True  # until the batch was not a full one
        for _ in range(BATCH):
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                found = None
            if found is None:
                self._again = False
                break
            self.record(found.si_pid, found.si_code, found.si_status)
            os.waitpid(found.si_pid, os.WNOHANG)
        self._deaths.deliver(self._tell)

    def _tell(self, death: Death) -> None:
        self._told(death.pid, "exit" if death.code == os.CLD_EXITED else "signal", death.status)
