"""`hepto lab console` on a terminal of its own, with a machine that is no QEMU."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hepto.lab import client, state
from hepto.lab.client import LabClient
from tests.lab.labs import LIMIT, ROOT, lab

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


class Screen:
    """What a terminal shows."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.unread = b""

    def wait(self, text: bytes) -> None:
        """Until `text` is there; what stands behind it is kept for the next."""
        deadline = time.monotonic() + LIMIT
        while text not in self.unread:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come; the screen shows {self.unread!r}"
            self.unread += os.read(self.descriptor, 4096)
        self.unread = self.unread.partition(text)[2]


def test_the_console_is_a_terminal_until_the_escape_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    where = state.place("test")
    leash = client.make(lab(), where)
    try:
        with LabClient(where) as connection:
            connection.wait_for("one", lambda node: node["channel"], LIMIT)
        keyboard, terminal = pty.openpty()
        screen = Screen(keyboard)
        command = [sys.executable, "-m", "hepto", "lab", "console", "--name", "test"]
        with subprocess.Popen(command, cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal) as console:
            os.close(terminal)
            try:
                screen.wait(b"Ctrl-] leaves")
                screen.wait(b"booted")  # what it said before is shown first
                os.write(keyboard, b"\x03")  # Ctrl-C is the node's
                screen.wait(b"you typed \x03")
                os.write(keyboard, b"hello\x1d")
                assert console.wait(LIMIT) == 0
            finally:
                console.kill()
        os.close(keyboard)
    finally:
        leash.break_off()
