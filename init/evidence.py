"""The logger's second work: crash reports and the record of the boot, made by a child so that no log waits for a disk.

Promises: one child at a time; what comes meanwhile is its successor's. A child that hangs costs evidence and nothing
else; one that fails has said why in the logger's own log, and its work is tried again after a while.
"""

import os
import sys
from collections.abc import Callable

from init.contract import paths

RECORD_AFTER, RECORD_EVERY = 30.0, 60.0
"""Seconds from the node's naming to the first record of this boot, which has better things to do until then, and from
one to the next as long as it changes."""
RETRY = 10.0
"""Seconds after a child that has failed."""


class Evidence:
    """`root` prefixes the fixed paths in tests; `logs` is where the rings are; `console` is the terminal's device."""

    def __init__(self, root: str, logs: tuple[str, str], console: str):
        self._root, self._logs, self._console = root, logs, console
        self._node, self._deaths = root + paths.NODE, root + paths.DEATHS
        self._stirred = True
        self._course: int | None = None
        self._record_at: float | None = None
        self._retry_at = 0.0
        self.child = -1
        """A descriptor that becomes readable when the child has ended; -1: there is none."""

    def stir(self) -> None:
        """Something has happened to the directories: look at the next `tend`."""
        self._stirred = True

    def deadline(self) -> float | None:
        """When `tend` is wanted although nothing happens."""
        if self.child >= 0 or not self._stirred:
            return None
        return max(self._record_at or 0.0, self._retry_at)

    def tend(self, now: float, empty: Callable[[list[str]], None]) -> None:
        """Start a child if there is work and none is at it. `empty` is called with the services that have died, so that
        all that they wrote is in their logs."""
        if self.child >= 0 or not self._stirred or now < self._retry_at:
            return
        dead, changed = self._dead(), self._changed()
        if changed and self._record_at is None:
            self._record_at = now + RECORD_AFTER
        record = changed and self._record_at is not None and now >= self._record_at
        self._stirred = changed and not record
        if not (dead or record):
            return
        empty(dead)
        if record:
            self._course, self._record_at = self._stamp(), now + RECORD_EVERY
        pid = os.fork()
        if pid == 0:
            self._run(record)
        self.child = os.pidfd_open(pid)

    def ended(self, now: float) -> None:
        """The child has ended, or is waited for."""
        if self.child < 0:
            return
        result = os.waitid(os.P_PIDFD, self.child, os.WEXITED)
        os.close(self.child)
        self.child = -1
        self._stirred = True
        if result is None or result.si_status != 0:
            self._course, self._retry_at = None, now + RETRY

    def finish(self, now: float) -> None:
        """The logger ends: do what is left, and note how this boot ends if it does."""
        self.ended(now)
        try:
            self._work(record=self._is_named, ending=True)
        except OSError as error:
            _complain(error)

    @property
    def _is_named(self) -> bool:
        return os.path.isdir(self._node)

    def _dead(self) -> list[str]:
        """The services of whose deaths there is no report yet."""
        try:
            return sorted({name.partition(".")[0] for name in os.listdir(self._deaths) if name.endswith(".json")})
        except FileNotFoundError:
            return []

    def _changed(self) -> bool:
        return self._is_named and self._stamp() != self._course

    def _stamp(self) -> int:
        """Another one when the agent has come further."""
        try:
            return os.stat(self._root + paths.COURSE).st_mtime_ns
        except OSError:
            return 0

    def _run(self, record: bool) -> None:
        code = 1
        try:
            self._work(record=record, ending=False)
            code = 0
        except BaseException as error:
            _complain(error)
        finally:
            os._exit(code)

    def _work(self, *, record: bool, ending: bool) -> None:
        # Imported by the child: the logger itself is to stay small.
        from init import bootlog, crashlog
        from init.console import Console
        from init.contract.crash import BELOW_NODE

        node = f"{self._node}/{BELOW_NODE}" if self._is_named else ""
        places = crashlog.Places(self._deaths, self._root + paths.CRASHES, node, self._logs)
        console = Console(self._root + self._console)
        crashlog.work(places, console)
        console.close()
        if record:
            bootlog.keep(self._root, self._node, ending=ending)


def _complain(error: BaseException) -> None:
    sys.stderr.write(f"evidence: {type(error).__name__}: {error}\n")
