"""What keeps PID 1 alive: when to go on after an exception, when to fall back, and the minimal loop to fall back to.

The loop's one catch-all asks `Guard` (pure) after each exception. An exception now and then means: go on. So many in a
row that nothing succeeds in between means: the minimal loop, for a while, which knows only dead children, services to
start again and the wish to end. If that fails too, PID 1 executes itself anew. Imported before the first phase,
because an import that fails later would be one more thing to go wrong.
"""

import os
import select
import signal
from collections.abc import Callable, Mapping
from enum import Enum

from init import linux, spawn

IN_A_ROW = 20
"""Exceptions with no success in between, before the minimal loop takes over."""
BURST, WINDOW, BREATH = 20, 1.0, 0.1
"""More exceptions than BURST within WINDOW seconds: the loop takes a BREATH between them, and so does not spin."""
ROUND_SECONDS = 1.0
ROUNDS = 5
"""Rounds of the minimal loop in a row that did not help, before PID 1 executes itself anew."""
QUIET = 60.0
"""Seconds without an exception after which all is forgotten."""


class Next(Enum):
    GO_ON = "go on"
    BREATHE = "breathe"
    MINIMAL = "minimal"
    RE_EXEC = "re-exec"


class Guard:
    """Counts exceptions and says what comes next."""

    def __init__(self) -> None:
        self.caught = 0
        self._in_a_row = 0
        self._rounds = 0
        self._times: list[float] = []

    def succeeded(self) -> None:
        """Something worked."""
        self._in_a_row = 0

    def failed(self, now: float) -> Next:
        """An exception was caught."""
        if self._times and now - self._times[-1] >= QUIET:
            self._rounds = 0
        self.caught += 1
        self._in_a_row += 1
        self._times = [at for at in self._times if now - at < WINDOW] + [now]
        if self._in_a_row >= IN_A_ROW:
            self._in_a_row = 0
            self._rounds += 1
            return Next.RE_EXEC if self._rounds > ROUNDS else Next.MINIMAL
        return Next.BREATHE if len(self._times) > BURST else Next.GO_ON


def minimal(
    signals: int,
    deaths: Callable[[int, int, int], None],
    launches: Mapping[str, spawn.Launch],
    running: dict[int, str],
    end: Callable[[int], None],
    until: float,
) -> None:
    """Reap, start again what died, and end the machine when told to, until `until`.

    `deaths(pid, code, status)` records each death for the big loop; `running` (pid to name) is kept up to date, so that
    the big loop finds out what was started. A service whose start is not known waits for the big loop.
    """
    while (now := linux.now()) < until:
        select.select([signals], [], [], min(0.1, until - now))
        for number, _pid in linux.read_signals(signals):
            if number in (signal.SIGTERM, signal.SIGINT, signal.SIGPWR):
                end(number)
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if found is None:
                break
            name = running.pop(found.si_pid, None)
            deaths(found.si_pid, found.si_code, found.si_status)
            os.waitpid(found.si_pid, os.WNOHANG)
            if name is not None and name in launches:
                launched = spawn.launch(launches[name])
                os.close(launched.errors)
                running[launched.pid] = name


def place(error: BaseException) -> str:
    """Where it was raised: file and line of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace is not None else "?"
