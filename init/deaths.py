"""What PID 1 says of an unexpected death: a line in the service's own log at once, and a file for who has the log.

Promises: never waits, and nothing here keeps a service from being started again: the file (on a tmpfs) is written when
the turn's starts are done, and what cannot be written is dropped and counted. The logger makes the report of it
(init.crashlog). When to tell the console is decided here, for only PID 1 hears of every death.
"""

import os
import time
from collections import deque
from collections.abc import Callable

from init.contract import bootid, crash, durable
from init.contract.crash import Crash
from init.contract.status import LastExit

MOST_WAITING = 32
"""Deaths that wait for their file, or files that wait for a logger; the oldest go."""
KEEPS_DYING, WINDOW = 3, 600.0
"""So many deaths within so many seconds: it keeps dying."""
QUIET = 600.0
"""Seconds until the console is told the same of a service again."""


class Voice:
    """What the console is to hear of one service. Pure."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=KEEPS_DYING)
        self._said: dict[str, float] = {}

    def says(self, now: float) -> str:
        """After a death: "" or one of crash.FIRST and crash.AGAIN."""
        self._times.append(now)
        recent = sum(now - at < WINDOW for at in self._times)
        what = crash.AGAIN if recent >= KEEPS_DYING else crash.FIRST if recent == 1 else ""
        if not what or now - self._said.get(what, -QUIET) < QUIET:
            return ""
        self._said[what] = now
        return what


class Deaths:
    """Gathers the deaths of a turn."""

    def __init__(self, directory: str, write: Callable[[str, str], None], peak: Callable[[str], int | None]):
        """`write(line, service)` writes into a service's log; `peak(service)` tells its highest use of memory."""
        self._directory, self._write, self._peak = directory, write, peak
        self._waiting: deque[Crash] = deque(maxlen=MOST_WAITING)
        self._voices: dict[str, Voice] = {}
        self.dropped = 0
        """Deaths without a file."""

    def record(self, service: str, number: int, exit_: LastExit, error: str, up: float, retry: float | None) -> None:
        """Service has died for the `number`th time; see Crash for the rest. To be called before the next start."""
        found = Crash(
            service,
            number,
            bootid.boot_id(),
            time.time(),  # noqa: TID251  the logger may come to it much later
            exit_,
            up,
            error,
            self._peak(service),
            retry,
            self._voices.setdefault(service, Voice()).says(exit_.at),
        )
        self._write(found.mark, service)
        self.dropped += len(self._waiting) == MOST_WAITING
        self._waiting.append(found)

    def publish(self) -> None:
        """Write the files."""
        while self._waiting:
            found = self._waiting.popleft()
            try:
                files = sorted(os.scandir(self._directory), key=lambda entry: entry.stat().st_mtime_ns)
                for file in files[: max(0, len(files) - MOST_WAITING + 1)]:
                    os.unlink(file)
                    self.dropped += 1
                path = f"{self._directory}/{crash.file_name(found)}"
                durable.write(path, crash.encode(found), sync=False)
            except OSError:
                self.dropped += 1
