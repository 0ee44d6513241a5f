"""The kernel's messages, from /dev/kmsg, as lines for a log of their own: with the kernel's times, and what is missing.

A read gives one record, `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT`, then lines that begin with a space (the kernel's
Documentation/ABI/testing/dev-kmsg). Sequence numbers without a gap are the proof that nothing is missing; the ring
keeps the last one, so a new logger goes on behind it.
"""

import errno
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

DEVICE = "/dev/kmsg"
RECORD_BYTES = 16 * 1024
"""More than a record can have; a shorter buffer would be refused."""
BATCH = 256
"""Records read at once, so that services have their turn, too."""
TOGETHER = 10_000
"""Microseconds within which messages are written at once, with the time of the first."""
LEVELS = ("emergency: ", "alert: ", "critical: ", "error: ", "warning: ", "", "", "")
"""By the lower three bits of the priority; the rest of it is the facility."""
USER_SPACE = "user space: "
"""Of another facility than the kernel's: a program has written it there."""


SECRET = r'(hepto\.(?:key|identity|registry[-_]credentials|restore[-_]key)=)("[^"]*"?|[^\s"]*)'
"""Options of the kernel command line whose values are secrets: the kernel logs that line, and this log is kept."""


class Message(NamedTuple):
    """One record."""

    sequence: int
    microseconds: int
    """Since the boot, on a clock that stands still while the machine sleeps."""
    text: str


class Entry(NamedTuple):
    """Lines for the log, when the first came in nanoseconds on the wall clock and on CLOCK_BOOTTIME, and the sequence
    number of the last."""

    data: bytes
    wall: int
    boot: int
    sequence: int


def parse(record: bytes) -> Message | None:
    """Read a record; None if it is none."""
    head, separator, rest = record.partition(b";")
    try:
        priority, sequence, microseconds = (int(field) for field in head.split(b",")[:3])
    except ValueError:
        return None
    if not separator or min(priority, sequence, microseconds) < 0:
        return None
    text = hide(rest.partition(b"\n")[0].decode("utf-8", "replace"))
    return Message(sequence, microseconds, (LEVELS[priority & 7] if priority < 8 else USER_SPACE) + text)


def hide(text: str) -> str:
    """The text without the secrets of a kernel command line."""
    if "hepto." not in text:
        return text
    import re  # for two lines of a boot

    return re.sub(SECRET, r"\1***", text)


class KernelLog:
    """Reads the device that is open as `descriptor`, non-blocking, behind the message with the number `last`."""

    def __init__(self, descriptor: int, last: int | None = None):
        self._descriptor = descriptor
        self._next = 0 if last is None else last + 1

    def read(self) -> Iterator[Entry]:
        """What has come, at most BATCH records. An entry that is taken is not given again."""
        together: list[Message] = []
        for message in self._messages():
            if together and message.microseconds - together[0].microseconds >= TOGETHER:
                yield self._entry(together)
                together = []
            together.append(message)
        if together:
            yield self._entry(together)

    def _messages(self) -> Iterator[Message]:
        for _ in range(BATCH):
            try:
                record = os.read(self._descriptor, RECORD_BYTES)
            except OSError as error:
                if error.errno == errno.EPIPE:
                    continue  # what was next has been overwritten; the next read goes on behind the gap
                return
            message = parse(record)
            if message is not None and message.sequence >= self._next:
                yield message

    def _entry(self, messages: list[Message]) -> Entry:
        text = ""
        for sequence, microseconds, words in messages:
            if sequence > self._next:
                missing = f"hepto: {sequence - self._next} messages are missing, they were overwritten before a read"
                text += _line(microseconds, missing)
            text += _line(microseconds, words)
            self._next = sequence + 1
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        boot = messages[0].microseconds * 1000 + now - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return Entry(text.encode(), time.time_ns() - (now - boot), boot, self._next - 1)


def _line(microseconds: int, text: str) -> str:
    """As dmesg prints it."""
    return f"[{microseconds // 1_000_000:5d}.{microseconds % 1_000_000:06d}] {text}\n"


def open_device(path: str = DEVICE) -> int:
    """The descriptor; -1 where it may not be read, or is not there, as in a container."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return -1
