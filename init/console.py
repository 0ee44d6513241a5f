"""The machine's console: lines out, never waiting for it.

A serial line is slow and a terminal may be stopped; PID 1 must not be. So writes are non-blocking, what does not fit is
kept up to a limit, and beyond it whole lines are dropped and counted. Nothing here reads the console.
"""

import os
import re
from collections import deque

DEVICE = "/dev/console"
MAX_PENDING = 64 * 1024
REPEAT = 60.0
"""Seconds after which a line about a bad configuration is printed again (contract.md section 1)."""
REPEATED = "waiting for configuration"
ELAPSED = re.compile(r", \d+ s\b")
"""The part of a status line that changes by itself (contract.status.Wait.line)."""


class Console:
    """Lines to a terminal. After any call `pending` tells whether `flush` is to be called when the terminal takes
    more."""

    def __init__(self, device: str = DEVICE):
        self._device = device
        self._descriptor = -1
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._status = ""
        self._status_at = 0.0
        self.dropped = 0
        """Lines that did not fit."""

    def fileno(self) -> int:
        """The descriptor to wait for, or -1 when there is no console."""
        if self._descriptor < 0:
            try:
                # O_NOCTTY: PID 1 leads a session, and Ctrl-C on the console is no business of its children.
                self._descriptor = os.open(self._device, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                return -1
        return self._descriptor

    @property
    def pending(self) -> bool:
        """Something is left that the terminal did not take yet."""
        return bool(self._lines)

    def line(self, text: str) -> None:
        """Print one line now, or as soon as the terminal takes it."""
        data = printable(text).encode("utf-8", "replace") + b"\n"
        if self._size + len(data) > MAX_PENDING:
            self.dropped += 1
            return
        self._lines.append(data)
        self._size += len(data)
        self.flush()

    def status(self, text: str, now: float) -> None:
        """Print the one line about the node's state if it says something new; a bad configuration again every
        minute."""
        stale = text.startswith(REPEATED) and now - self._status_at >= REPEAT
        if stale or ELAPSED.sub("", text) != ELAPSED.sub("", self._status):
            self._status, self._status_at = text, now
            self.line(text)

    def repeat(self, now: float) -> None:
        """Print the last status again if that is due. Call it at `deadline()`."""
        if self._status:
            self.status(self._status, now)

    def deadline(self) -> float | None:
        """When `repeat` has something to do."""
        return self._status_at + REPEAT if self._status.startswith(REPEATED) else None

    def flush(self) -> None:
        """Give the terminal what it takes without waiting. A console that is gone takes everything."""
        descriptor = self.fileno()
        while self._lines:
            try:
                taken = os.write(descriptor, self._lines[0]) if descriptor >= 0 else len(self._lines[0])
            except BlockingIOError:
                return
            except OSError:
                self.close()
                descriptor, taken = -1, len(self._lines[0])
            rest = self._lines.popleft()[taken:]
            self._size -= taken
            if rest:
                self._lines.appendleft(rest)
                return

    def close(self) -> None:
        """Let go of the terminal; the next line opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def printable(text: str) -> str:
    """The text on one line, without control characters: services' names and error texts come from outside."""
    return "".join(character if character.isprintable() else " " for character in text)
