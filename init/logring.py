"""One service's log as a ring of segment files, and where the rings are.

A log is one stream of bytes with offsets that only grow. A segment is a file named by the offset of its first byte, so
that all before the oldest segment is what was overwritten: counted by its name, kept nowhere else. Beside it lies an
index of (offset, wall clock, boot clock). A file's size is the truth about what was written: a writer killed at any
instant has lost nothing, at most the time of its last bytes. A segment belongs to one boot.

    DIRECTORY/NAME/00000000000000000000.log      data
    DIRECTORY/NAME/00000000000000000000.index    32 bytes of head (magic, boot id, origin), then records of 24 bytes
    DIRECTORY/NAME/dropped                       bytes that could not be kept (disk full), as a number
    DIRECTORY/NAME/number                        of what is numbered at its source: the last number that was put

`origin` is the offset + 1 that the segment had in another directory before it was taken over (`Ring.adopt`), or 0.
"""

import contextlib
import errno
import os
import struct
from typing import NamedTuple

from init.contract import bootid, durable

BELOW_NODE = "log/hepto"

HEAD = struct.Struct("<8s16sQ")
MAGIC = b"heptolog"
RECORD = struct.Struct("<QQQ")
NUMBERS = struct.Struct("<16sQQQ")
"""Boot id, the number that is put and the one before it (both + 1, 0: none), the offset it is put at."""
SAME_TIME = 10_000_000
"""Nanoseconds within which two pieces share a record."""
PIECE = 256 * 1024
"""Bytes moved at once, so that each service gets its turn."""
DISCARD = "/dev/null"
PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789-"


class Size(NamedTuple):
    """A ring's limit: about `segment * number` bytes of log."""

    segment: int
    number: int


ON_DISK = Size(1024 * 1024, 16)
IN_MEMORY = Size(256 * 1024, 4)


class Segment(NamedTuple):
    directory: str
    start: int

    @property
    def data_file(self) -> str:
        """Path of the bytes."""
        return f"{self.directory}/{self.start:020d}.log"

    @property
    def index_file(self) -> str:
        """Path of the times."""
        return f"{self.directory}/{self.start:020d}.index"

    def size(self) -> int:
        """Bytes it holds now. Raises FileNotFoundError when it was overwritten."""
        return os.stat(self.data_file).st_size

    def head(self) -> tuple[bytes, int]:
        """(boot id, origin); (b"", 0) when the index is missing or damaged."""
        try:
            with open(self.index_file, "rb") as file:
                magic, boot, origin = HEAD.unpack(file.read(HEAD.size))
        except (OSError, struct.error):
            return b"", 0
        return (boot, origin) if magic == MAGIC else (b"", 0)

    def times(self) -> list[tuple[int, int, int]]:
        """(offset, wall clock ns, boot clock ns), ascending; a cut last record is left out."""
        try:
            with open(self.index_file, "rb") as file:
                body = file.read()[HEAD.size :]
        except OSError:
            return []
        return list(RECORD.iter_unpack(body[: len(body) // RECORD.size * RECORD.size]))

    def remove(self) -> None:
        """Give up its bytes."""
        for path in (self.data_file, self.index_file):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def boot_id() -> bytes:
    """This boot's, as heads of segments have it."""
    return bytes.fromhex(bootid.boot_id().replace("-", ""))


def plain(name: str) -> bool:
    """True for a name that services have (init.contract.service.NAME), without the cost of importing that here."""
    return 0 < len(name) <= 32 and all(character in PLAIN for character in name)


def segments(directory: str) -> list[Segment]:
    """The segments there, oldest first."""
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    starts = sorted(
        int(name[:20]) for name in names if len(name) == 24 and name.endswith(".log") and name[:20].isdecimal()
    )
    return [Segment(directory, start) for start in starts]


def dropped(directory: str) -> int:
    """Bytes of this service that could not be kept."""
    try:
        with open(f"{directory}/dropped", "rb") as file:
            return int(file.read(32))
    except (OSError, ValueError):
        return 0


def _last_number(directory: str, boot: bytes) -> int | None:
    try:
        with open(f"{directory}/number", "rb") as file:
            of, number, before, at = NUMBERS.unpack(file.read(NUMBERS.size))
    except (OSError, struct.error):
        return None
    if of != boot:
        return None
    last = next(iter(segments(directory)[::-1]), None)
    found = number if last is not None and last.start + last.size() > at else before
    return found - 1 if found else None


class Ring:
    """The only writer of one service's segments in one directory. Not thread-safe; `close` when done."""

    def __init__(self, directory: str, boot: bytes, size: Size):
        self.directory = directory
        """Where its segments are."""
        self._boot = boot
        self._size = size
        self._segment: Segment | None = None
        self._data = self._index = -1
        self._end = 0
        self._stamped = -SAME_TIME
        self._number: int | None = None
        os.makedirs(directory, mode=0o700, exist_ok=True)

    def take(self, fifo: int, wall: int, boot: int) -> int:
        """Move what is in a FIFO to the end of the ring; returns the bytes moved. The times are in nanoseconds.

        Never holds the bytes itself. Raises BlockingIOError when the FIFO is empty, other OSErrors when the ring cannot
        take it.
        """
        if self._segment is None:
            self._open()
        assert self._segment is not None
        moved = os.splice(fifo, self._data, PIECE, offset_dst=self._end - self._segment.start)
        self._wrote(moved, wall, boot)
        return moved

    def put(self, data: bytes, wall: int, boot: int, number: int) -> None:
        """Write bytes at the end: all of them, or it raises OSError and has written none.

        `number` counts at their source what they are; `last_number` finds it again.
        """
        if self._segment is None:
            self._open()
        assert self._segment is not None
        self._note(number, self.last_number(), self._end)
        at = self._end - self._segment.start
        if os.pwrite(self._data, data, at) < len(data):
            os.ftruncate(self._data, at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._segment.data_file)
        self._number = number
        self._wrote(len(data), wall, boot)

    def last_number(self) -> int | None:
        """The number of what was put last in this boot. None: nothing was."""
        if self._number is None:
            self._number = _last_number(self.directory, self._boot)
        return self._number

    def _note(self, number: int, before: int | None, at: int) -> None:
        """Say that a number is going to be put where; whether it was then, the ring's end tells."""
        numbers = NUMBERS.pack(self._boot, number + 1, 0 if before is None else before + 1, at)
        descriptor = os.open(f"{self.directory}/number", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, numbers, 0)
        finally:
            os.close(descriptor)

    def _wrote(self, moved: int, wall: int, boot: int) -> None:
        if moved and boot - self._stamped >= SAME_TIME:
            os.write(self._index, RECORD.pack(self._end, wall, boot))
            self._stamped = boot
        self._end += moved
        assert self._segment is not None
        if self._end - self._segment.start >= self._size.segment:
            self.close()

    def shrink(self) -> bool:
        """Give up the oldest segment to make room, but never the newest: its name counts what was before it. False if
        there is none, or it stays: then it is not room that lacks."""
        old = segments(self.directory)[:-1]
        try:
            if old:
                old[0].remove()
        except OSError:
            return False
        return bool(old)

    def drop(self, fifo: int) -> int:
        """Throw away what is in a FIFO and count it."""
        null = os.open(DISCARD, os.O_WRONLY | os.O_CLOEXEC)
        try:
            moved = os.splice(fifo, null, PIECE)
        finally:
            os.close(null)
        self.count(moved)
        return moved

    def count(self, number: int) -> None:
        """So many bytes could not be kept."""
        total = str(dropped(self.directory) + number).encode()
        with contextlib.suppress(OSError):
            durable.write(f"{self.directory}/dropped", total, sync=False)

    def adopt(self, segment: Segment) -> None:
        """Take over a segment of another directory, at the end of this ring, and remove it there. Repeating does
        nothing."""
        self.close()
        number, mine_ends = _last_number(segment.directory, self._boot), self.last_number()
        if number is not None and (mine_ends is None or number > mine_ends):
            self._note(number, number, 0)
            self._number = number
        boot, _ = segment.head()
        origin = segment.start + 1
        mine = segments(self.directory)
        if segment.size() and (boot, origin) not in [other.head() for other in mine]:
            start = mine[-1].start + mine[-1].size() if mine else 0
            self._copy(segment, Segment(self.directory, start), boot, origin)
        segment.remove()
        self._trim()

    def close(self) -> None:
        """Close the files; the next `take` opens the segment that follows."""
        for descriptor in (self._data, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._data = self._index = -1
        self._segment = None

    def _open(self) -> None:
        last = next(iter(segments(self.directory)[::-1]), None)
        end = last.start + last.size() if last else 0
        if last and last.size() < self._size.segment and last.head()[0] == self._boot:
            segment, fresh = last, 0
        else:
            segment, fresh = Segment(self.directory, end), os.O_TRUNC
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC  # not O_APPEND: splice(2) refuses that
        index = os.open(segment.index_file, flags | fresh, 0o600)
        try:
            size = os.fstat(index).st_size
            if size < HEAD.size:
                os.pwrite(index, HEAD.pack(MAGIC, self._boot, 0), 0)
                size = HEAD.size
            # A writer killed in the middle of a record has left a part of it, which this one overwrites.
            os.lseek(index, HEAD.size + (size - HEAD.size) // RECORD.size * RECORD.size, os.SEEK_SET)
            self._data = os.open(segment.data_file, flags, 0o600)
        except BaseException:
            os.close(index)
            raise
        self._index, self._segment, self._end, self._stamped = index, segment, end, -SAME_TIME
        self._trim()

    def _trim(self) -> None:
        for segment in segments(self.directory)[: -self._size.number]:
            segment.remove()

    def _copy(self, source: Segment, target: Segment, boot: bytes, origin: int) -> None:
        shift = target.start - source.start
        temporary = f"{self.directory}/.adopted"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(source.data_file, "rb") as old, open(os.open(temporary, flags, 0o600), "wb", buffering=0) as new:
            at = 0
            while moved := os.sendfile(new.fileno(), old.fileno(), at, PIECE):
                at += moved
        records = b"".join(RECORD.pack(offset + shift, wall, time) for offset, wall, time in source.times())
        durable.write(target.index_file, HEAD.pack(MAGIC, boot, origin) + records, sync=False)
        durable.publish(temporary, target.data_file, sync=False)  # from here on the segment exists
