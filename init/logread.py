"""Reads the logs of services from their rings (init.logring), by offset or by line, also while they grow and move.

A `Reader` gives bytes from where it stands; `b""` means: no more yet. What the ring has overwritten before it was read
is skipped and counted in `lost`. When the logger moves a ring from memory to the node's directory, or back because the
disk takes nothing, the reader follows it there. `Following` gives lines with their times instead, as they are complete.
Of a disk that cannot be read a remark is left among the lines, and what memory has follows.
"""

import contextlib
import os
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from init.contract import paths
from init.logring import BELOW_NODE, Segment, plain, segments

CHUNK = 64 * 1024
REMARK = -1
"""The offset of a line that is no part of the log, but about it."""
Stamp = tuple[float | None, float | None]
"""Wall and boot clock."""


Times = list[tuple[int, int, int]]
"""As `Segment.times` gives them."""


class Line(NamedTuple):
    """A line with the time at which it came, on both clocks in seconds (None: not known), its offset, and the boot."""

    text: str
    offset: int
    wall: float | None
    boot: float | None
    boot_id: bytes = b""


class Since(NamedTuple):
    """An instant on both clocks. Lines of the boot `boot_id` are compared by the boot clock, which nobody sets: those
    from before the clock was right have wrong wall times."""

    wall: float
    boot: float
    boot_id: bytes

    def covers(self, line: Line) -> bool:
        """True if the line came then or later, or is a remark; False if that is not known."""
        if line.offset == REMARK:
            return True
        mine, limit = (line.boot, self.boot) if line.boot_id == self.boot_id else (line.wall, self.wall)
        return mine is not None and mine >= limit


def remark(error: OSError | None) -> Line:
    """What stands among the lines for those that the disk does not give."""
    return Line(f"(the log on the disk cannot be read: {error.strerror if error else ''})", REMARK, None, None)


def places(volatile: str = paths.VOLATILE_LOGS, node: str = paths.NODE) -> tuple[str, str]:
    """Where rings are: (in memory, below the node's directory)."""
    return volatile, f"{node}/{BELOW_NODE}"


def services(where: tuple[str, str] | None = None) -> tuple[str, ...]:
    """The names of all services that have a log."""
    found: set[str] = set()
    for place in where or places():
        with contextlib.suppress(OSError):
            found.update(name for name in os.listdir(place) if plain(name))
    return tuple(sorted(found))


class Reader:
    """Stands at one place of one service's log. Begins at the oldest byte, or `tail` bytes before the end."""

    def __init__(self, name: str, where: tuple[str, str] | None = None, tail: int | None = None):
        self._memory, self._disk = (f"{place}/{name}" for place in where or places())
        self.trouble: OSError | None = None
        """Why what the disk has cannot be read."""
        try:
            self._directory = self._disk if segments(self._disk) else self._memory
        except OSError as error:
            self._leave_disk(error)
        self._at = 0
        self.segment: Segment | None = None
        """Where the bytes that were read last are from."""
        self.lost = 0
        """Bytes that were overwritten before this reader came to them."""
        found = segments(self._directory)
        if found:
            with contextlib.suppress(OSError):
                end = found[-1].start + found[-1].size()
                self._at = found[0].start if tail is None else max(found[0].start, end - tail)

    @property
    def offset(self) -> int:
        """Of the next byte."""
        return self._at

    def skip_to(self, offset: int) -> None:
        """Go on there, if that is further on."""
        self._at = max(self._at, offset)

    def read(self, size: int = CHUNK) -> bytes:
        """The next bytes, at most `size`; b"" when there are none yet."""
        while True:
            try:
                self._follow()
                found = segments(self._directory)
                if not found:
                    return b""
                if self._at < found[0].start:
                    self.lost += found[0].start - self._at
                    self._at = found[0].start
                segment = found[max(0, bisect_right([item.start for item in found], self._at) - 1)]
                with open(segment.data_file, "rb") as file:
                    file.seek(self._at - segment.start)
                    data = file.read(size)
            except FileNotFoundError:
                continue  # overwritten or moved in this very moment
            except OSError as error:
                if self._disk == self._memory:
                    raise
                self._leave_disk(error)
                continue
            self._at += len(data)
            self.segment = segment
            if data or (segment == found[-1] and not self._go_back()):
                return data
            if segment != found[-1]:
                self._at = found[found.index(segment) + 1].start

    def _leave_disk(self, error: OSError) -> None:
        self.trouble, self._disk, self._directory = error, self._memory, self._memory
        self._at = min((segment.start for segment in segments(self._memory)), default=0)

    def _go_back(self) -> bool:
        """At the disk's end go over to memory, if the log goes on there because the disk takes it no more."""
        if self._directory == self._memory or not (waiting := _not_adopted(self._memory, self._disk)):
            return False
        self._directory, self._at = self._memory, waiting[0].start
        return True

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


class Following:
    """A service's lines from its oldest on, each as soon as it is complete."""

    def __init__(self, reader: Reader):
        self._reader = reader
        self._trouble: OSError | None = None
        self._pending = b""
        self._start = 0
        self._stamp = _UNKNOWN
        self._segment: Segment | None = None
        self._times: Times = []
        self._boot = b""

    def take(self) -> list[Line]:
        """The lines that have become complete; [] when there is no more to read yet."""
        found: list[Line] = []
        while not found:
            lost = self._reader.lost
            data = self._reader.read()
            if (trouble := self._reader.trouble) is not self._trouble:
                self._trouble = trouble
                found += [*self.rest(), remark(trouble)]
            if not data:
                return found
            if self._reader.lost != lost:
                self._pending = b""  # its end was overwritten
            found += self._split(data, self._reader.offset - len(data))
        return found

    def rest(self) -> list[Line]:
        """What was read of a line that is not complete, for who does not wait for its end."""
        return [self._line()] if self._pending else []

    def _split(self, data: bytes, at: int) -> list[Line]:
        found = self._look_up(at + len(data))
        for part in data.splitlines(keepends=True):
            if not self._pending:
                self._start, self._stamp = at, _stamp(self._times, at)
            self._pending += part
            at += len(part)
            if part.endswith(b"\n"):
                found.append(self._line())
        return found

    def _line(self) -> Line:
        text = self._pending.removesuffix(b"\n").decode("utf-8", "replace")
        self._pending = b""
        return Line(text, self._start, *self._stamp, self._boot)

    def _look_up(self, end: int) -> list[Line]:
        """The times of what was just read; those of a segment that still grows are read anew. A line that another boot
        has begun is one for itself."""
        found: list[Line] = []
        segment = self._reader.segment
        assert segment is not None, "something was read"
        if segment != self._segment:
            boot = segment.head()[0]
            if self._pending and boot != self._boot:
                found.append(self._line())
            self._segment, self._boot, self._times = segment, boot, []
        if not self._times or end > self._times[-1][0]:
            self._times = segment.times()
        return found


def lines(name: str, where: tuple[str, str] | None = None, since: Since | None = None) -> Iterator[Line]:
    """All complete lines of a service's log and the last one, oldest first, with their times; with `since` those that
    came then or later."""
    for line in _lines(name, where or places(), since):
        if since is None or since.covers(line):
            yield line


def _lines(name: str, where: tuple[str, str], since: Since | None) -> Iterator[Line]:
    memory, disk = where
    for place in (disk, memory):
        try:
            reader = Reader(name, (place, place))
            if since is not None:
                reader.skip_to(_first(segments(f"{place}/{name}"), since))
            following = Following(reader)
            while found := following.take():
                yield from found
            yield from following.rest()
        except OSError as error:
            if place == memory:
                raise
            yield remark(error)


def _not_adopted(memory: str, disk: str) -> list[Segment]:
    """The segments in memory of which the disk has no copy (`Ring.adopt`)."""
    there = {segment.head() for segment in segments(disk)}
    return [segment for segment in segments(memory) if (segment.head()[0], segment.start + 1) not in there]


def _first(found: list[Segment], since: Since) -> int:
    """Offset of the last segment that begins before `since`: all earlier ones end before it, too."""
    first = 0
    for segment in found:
        line = Line("", segment.start, *_stamp(segment.times(), segment.start), segment.head()[0])
        if None not in (line.wall, line.boot) and not since.covers(line):
            first = segment.start
    return first


_UNKNOWN: Stamp = (None, None)


def _stamp(times: Times, at: int) -> Stamp:
    place = bisect_right(times, at, key=_offset) - 1
    if place < 0:
        return _UNKNOWN
    _, wall, boot = times[place]
    return wall / 1e9, boot / 1e9


def _offset(record: tuple[int, int, int]) -> int:
    return record[0]
