"""The power button (ACPI, as an input device) and the hardware watchdog.

Promises: devices are opened without waiting, when they appear; none of them being there is no error. The watchdog is
fed from the loop alone, so that it bites when the loop stands still.
"""

import errno
import os
import struct
from collections.abc import Callable
from typing import Protocol

from init import linux

KEY_POWER, EV_KEY = 116, 1  # linux/input-event-codes.h
_EVENT = struct.Struct("=qqHHi")  # struct input_event where time_t is 64 bits
FEED = 10.0
WATCHDOG_SECONDS = 60
RESCAN = 30.0


class Poller(Protocol):
    """What the buttons need of the loop."""

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None: ...
    def forget(self, descriptor: int) -> None: ...


def has_power_key(capabilities: str) -> bool:
    """Read `capabilities/key`: words of 64 bits in hex, the most significant first."""
    words = capabilities.split()
    word, bit = divmod(KEY_POWER, 64)
    try:
        return len(words) > word and bool(int(words[-1 - word], 16) >> bit & 1)
    except ValueError:
        return False


class Buttons:
    """All input devices with a power key."""

    def __init__(self, poller: Poller, pressed: Callable[[], None], root: str = ""):
        self._poller, self._pressed, self._root = poller, pressed, root
        self._open: dict[str, int] = {}

    def scan(self) -> None:
        """Open what has appeared."""
        try:
            names = [name for name in os.listdir(f"{self._root}/sys/class/input") if name.startswith("event")]
        except FileNotFoundError:
            return
        for name in names:
            if name in self._open:
                continue
            try:
                with open(f"{self._root}/sys/class/input/{name}/device/capabilities/key", encoding="ascii") as file:
                    if not has_power_key(file.read()):
                        continue
                descriptor = os.open(f"{self._root}/dev/input/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue  # not there yet: the next look finds it
            self._open[name] = descriptor
            self._poller.watch(descriptor, lambda name=name: self._read(name))  # type: ignore[misc]

    def _read(self, name: str) -> None:
        try:
            data = os.read(self._open[name], _EVENT.size * 64)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            data = b""
        if not data:
            descriptor = self._open.pop(name)
            self._poller.forget(descriptor)
            os.close(descriptor)
        for at in range(0, len(data) - _EVENT.size + 1, _EVENT.size):
            _seconds, _micros, kind, code, value = _EVENT.unpack_from(data, at)
            if (kind, code, value) == (EV_KEY, KEY_POWER, 1):
                self._pressed()


class Watchdog:
    """/dev/watchdog, if there is one. Never closed: closing it without its magic letter means a reset."""

    def __init__(self, path: str):
        self._path = path
        self.descriptor = -1
        self._due = 0.0
        self._last = False

    def open(self) -> None:
        """Open the device if it is there now."""
        if self.descriptor < 0 and not self._last and os.path.exists(self._path):
            try:
                self.descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            except OSError:
                return
            self._set(WATCHDOG_SECONDS)

    def feed(self, now: float) -> None:
        """Feed it, unless it has been armed for the last time."""
        if self.descriptor >= 0 and not self._last and now >= self._due:
            self._due = now + FEED
            os.write(self.descriptor, b"\n")

    def arm(self, seconds: int) -> None:
        """The last feeding: from now on it bites after `seconds`."""
        if self.descriptor >= 0 and not self._last:
            self._set(seconds)
            os.write(self.descriptor, b"\n")
            self._last = True

    def disarm(self) -> None:
        """Let it sleep for good, unless its driver was built to refuse that (the magic letter of watchdog-api.rst)."""
        if self.descriptor >= 0:
            os.write(self.descriptor, b"V")
            os.close(self.descriptor)
            self.descriptor, self._last = -1, True

    def deadline(self) -> float | None:
        """When it is to be fed."""
        return self._due if self.descriptor >= 0 and not self._last else None

    def _set(self, seconds: int) -> None:
        try:
            linux.set_watchdog_timeout(self.descriptor, seconds)
        except OSError:
            pass  # a fixed one: it is fed often enough
