"""Runs a command of the build host to its end, and never leaves its children behind.

Promises: output is kept for the error message; on Ctrl-C or any other exception the whole process group is ended before
the exception goes on. Must not be used on a node: there PID 1 starts processes.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Self

WATCH_SECONDS = 0.5
TAIL = 4096
GRACE_SECONDS = 10.0  # mkosi unmounts and removes its workspace after SIGINT


class CommandFailedError(Exception):
    """A command ended with a status other than 0; `output` is what it printed on both streams."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.output = output
        super().__init__(f"{argv[0]} ended with status {status}")

    def last_line(self) -> str:
        """The last line with something in it: what most tools say before they give up."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"status {self.status} and no message"


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    log: Path | None = None,
    timeout: float | None = None,
    watch: Callable[[str], None] | None = None,
) -> str:
    """Runs the command and returns what it printed (both streams, in order).

    `log` keeps a copy in a file; `watch` is told the newest line now and then.
    """
    words = [os.fspath(word) for word in argv]
    with log.open("w+b") if log else tempfile.TemporaryFile() as output:
        # A group of its own: the terminal's Ctrl-C reaches only us, and we end the whole group, grandchildren too.
        with (
            _Held() as held,
            subprocess.Popen(
                words,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            ) as process,
        ):
            try:
                held.let_go()
                status = process.wait(timeout) if watch is None else _watched(process, output, watch)
            except BaseException:
                end_group(process)
                raise
        text = _read(output)
    if status:
        raise CommandFailedError(words, status, text)
    return text


class _Held:
    """SIGINT and SIGTERM wait while a child is made: raised within Popen, they would leave one that nobody knows of."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._seen: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other can have handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, lambda seen, _: self._seen.append(seen))
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def let_go(self) -> None:
        """Handle what came meanwhile, and from now on at once. Raises what the handlers raise."""
        handlers = self._restore()
        seen, self._seen = self._seen, []
        for number in seen:
            handlers[number](number, None)

    def _restore(self) -> dict[int, Callable[[int, FrameType | None], object]]:
        handlers, self._handlers = self._handlers, {}
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return handlers


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """SIGINT first, so that tools tidy up; SIGKILL to what is left of the group."""
    for number, seconds in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        # A second Ctrl-C means: at once.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(seconds)


def _watched(process: "subprocess.Popen[bytes]", output: IO[bytes], watch: Callable[[str], None]) -> int:
    """Waits, and tells the newest whole line. The child shares the file's position: only pread leaves it alone."""
    while True:
        try:
            return process.wait(WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            size = os.fstat(output.fileno()).st_size
            tail = os.pread(output.fileno(), TAIL, max(size - TAIL, 0)).decode(errors="replace")
            lines = [line.strip() for line in tail.split("\n")[:-1] if line.strip()]
            if lines:
                watch(lines[-1])


def _read(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")
