"""Reads the logs of services from their rings (init.logring), by offset or by line, also while they grow and move.

A `Reader` gives bytes from where it stands; `b""` means: no more yet. What the ring has overwritten before it was read
is skipped and counted in `lost`. When the logger moves a ring from memory to the node's directory, the reader follows
it there.
"""

import contextlib
import os
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from init.binds import NODE_LINK
from init.contract import paths
from init.logring import BELOW_NODE, Segment, plain, segments

CHUNK = 64 * 1024
Stamp = tuple[float | None, float | None]
"""Wall and boot clock."""


class Line(NamedTuple):
    """A line with the time at which it came, on both clocks in seconds (None: not known), and its offset."""

    text: str
    offset: int
    wall: float | None
    boot: float | None


def places(volatile: str = paths.VOLATILE_LOGS, node: str = NODE_LINK) -> tuple[str, str]:
    """Where rings are: (in memory, below the node's directory)."""
    return volatile, f"{node}/{BELOW_NODE}"


def services(where: tuple[str, str] | None = None) -> tuple[str, ...]:
    """The names of all services that have a log."""
    found: set[str] = set()
    for place in where or places():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found.update(name for name in os.listdir(place) if plain(name))
    return tuple(sorted(found))


class Reader:
    """Stands at one place of one service's log. Begins at the oldest byte, or `tail` bytes before the end."""

    def __init__(self, name: str, where: tuple[str, str] | None = None, tail: int | None = None):
        self._memory, self._disk = (f"{place}/{name}" for place in where or places())
        self._directory = self._disk if segments(self._disk) else self._memory
        self._at = 0
        self.lost = 0
        """Bytes that were overwritten before this reader came to them."""
        found = segments(self._directory)
        if found:
            with contextlib.suppress(FileNotFoundError):
                end = found[-1].start + found[-1].size()
                self._at = found[0].start if tail is None else max(found[0].start, end - tail)

    @property
    def offset(self) -> int:
        """Of the next byte."""
        return self._at

    def read(self, size: int = CHUNK) -> bytes:
        """The next bytes, at most `size`; b"" when there are none yet."""
        while True:
            self._follow()
            found = segments(self._directory)
            if not found:
                return b""
            if self._at < found[0].start:
                self.lost += found[0].start - self._at
                self._at = found[0].start
            segment = found[max(0, bisect_right([item.start for item in found], self._at) - 1)]
            try:
                with open(segment.data_file, "rb") as file:
                    file.seek(self._at - segment.start)
                    data = file.read(size)
            except FileNotFoundError:
                continue  # overwritten or moved in this very moment
            self._at += len(data)
            if data or segment == found[-1]:
                return data
            self._at = found[found.index(segment) + 1].start

    def _follow(self) -> None:
        """Go over to the disk when what was read in memory has been moved there."""
        if self._directory == self._disk or not segments(self._disk):
            return
        for segment in segments(self._disk):
            _, origin = segment.head()
            if origin and origin - 1 <= self._at <= origin - 1 + segment.size():
                self._directory, self._at = self._disk, segment.start + self._at - (origin - 1)
                return
        if not segments(self._memory):
            self._directory, self._at = self._disk, segments(self._disk)[0].start


def lines(name: str, where: tuple[str, str] | None = None) -> Iterator[Line]:
    """All complete and last lines of a service's log, oldest first, with their times."""
    for place in where or places():
        directory = f"{place}/{name}"
        pending, start = b"", 0
        stamp: Stamp = (None, None)
        for segment in segments(directory):
            times = segment.times()
            offsets = [time[0] for time in times]
            at = segment.start
            if at != start + len(pending):
                pending = b""
            for part in _content(segment).splitlines(keepends=True):
                if not pending:
                    start, stamp = at, _time(times, offsets, at)
                pending += part
                at += len(part)
                if pending.endswith(b"\n"):
                    yield Line(pending[:-1].decode("utf-8", "replace"), start, *stamp)
                    pending, start = b"", at
        if pending:
            yield Line(pending.decode("utf-8", "replace"), start, *stamp)


def _content(segment: Segment) -> bytes:
    try:
        with open(segment.data_file, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _time(times: list[tuple[int, int, int]], offsets: list[int], at: int) -> Stamp:
    place = bisect_right(offsets, at) - 1
    if place < 0:
        return None, None
    _, wall, boot = times[place]
    return wall / 1e9, boot / 1e9
