"""A disk's write log, and what the disk may hold after a power cut at any moment of it. Reads one file, writes nothing.

The format is that of Linux' dm-log-writes (drivers/md/dm-log-writes.c), which QEMU's block driver blklogwrites writes
too: a superblock, then entries one after the other, each in sectors of its own, little-endian. QEMU logs a request when
it has completed, before the guest is told so: what a guest had been told is always before what it asked next.

    superblock  magic, version, number of entries (u64 each), sector size (u32)
    entry       sector, number of sectors, flags, length of a mark (u64 each), then the data, unless it is a discard

A disk with a volatile cache owes its owner only what was written before a flush that has completed. So a cut at a
position of the log keeps all entries before the last flush, and of those after it whatever the dice say: none, all, the
first ones, or any of them, and of some only some units (`unit` bytes, what a disk writes as a whole).
"""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import BinaryIO, Final

SUPERBLOCK: Final = struct.Struct("<QQQI")
ENTRY: Final = struct.Struct("<QQQQ")
MAGIC: Final = 0x6A736677736872
VERSION: Final = 1
PIECE: Final = 1 << 20
"""Bytes handed on at once: an entry that zeroes a region may have gigabytes."""
TORN: Final = 0.2
"""The share of the surviving writes after the last flush that survive in part only."""


class WriteLogError(Exception):
    """The file is no write log, or a damaged one."""


class Flag(IntFlag):
    """What an entry is, beside a plain write."""

    FLUSH = 1
    """All that was written before is on the disk now."""
    FUA = 2
    """It is on the disk itself, whatever else is."""
    DISCARD = 4
    MARK = 8


class Fate(Enum):
    """What becomes of the writes since the last flush."""

    NONE = "none"
    ALL = "all"
    FIRST = "the first ones"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: bytes from `start` to `end` of the disk, whose data is at `place` of the log."""

    start: int
    end: int
    flags: Flag
    place: int
    log_end: int
    """Where the entry ends in the log. A log of that length or more has it."""

    @property
    def writes(self) -> bool:
        """It changes what the disk holds."""
        return self.end > self.start and not self.flags & Flag.MARK


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes of one entry that have reached the disk."""

    entry: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A power cut: `flushed` entries are whole on the disk, then come the patches, in their order."""

    position: int
    """The entries before it had been asked for."""
    flushed: int
    fate: Fate
    patches: tuple[Patch, ...]


class WriteLog:
    """The entries of a log, and their data."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises WriteLogError. `file` stays open as long as data is wanted."""
        self._file = file
        self.entries = tuple(_entries(file))

    def data(self, entry: Entry, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What it puts on the disk between these places, as (place, bytes) of at most PIECE bytes each."""
        for place in range(start, end, PIECE):
            length = min(PIECE, end - place)
            if entry.flags & Flag.DISCARD:
                yield place, bytes(length)
                continue
            self._file.seek(entry.place + place - entry.start)
            data = self._file.read(length)
            if len(data) != length:
                raise WriteLogError(f"the log ends within the data of an entry at {entry.place}")
            yield place, data

    def entries_within(self, length: int) -> int:
        """How many entries a log had that was `length` bytes long."""
        low, high = 0, len(self.entries)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.entries[middle].log_end <= length else (low, middle)
        return low


def _entries(file: BinaryIO) -> Iterator[Entry]:
    file.seek(0)
    head = file.read(SUPERBLOCK.size)
    if len(head) != SUPERBLOCK.size:
        raise WriteLogError("the file is too short for a write log")
    magic, version, count, sector = SUPERBLOCK.unpack(head)
    if (magic, version) != (MAGIC, VERSION) or sector < 512 or sector & (sector - 1):
        raise WriteLogError(f"no write log of version {VERSION}: magic {magic:#x}, version {version}, sector {sector}")
    place = sector
    for index in range(count):
        file.seek(place)
        words = file.read(ENTRY.size)
        if len(words) != ENTRY.size:
            raise WriteLogError(f"the log ends before entry {index} of {count}")
        first, number, flags, _ = ENTRY.unpack(words)
        # An entry whose place was taken and that was never written is all zeros: what follows it cannot be found.
        if flags > sum(Flag) or (number == 0 and flags == 0):
            raise WriteLogError(f"entry {index} of {count} is damaged: flags {flags:#x}, {number} sectors")
        place += sector
        data = place
        if not flags & Flag.DISCARD:
            place += number * sector
        yield Entry(first * sector, (first + number) * sector, Flag(flags), data, place)


def cut(entries: Sequence[Entry], position: int, dice: random.Random, *, unit: int = 512) -> Cut:
    """A power cut when the entries before `position` had been asked for, and nothing else."""
    flushed = next((index for index in reversed(range(position)) if entries[index].flags & Flag.FLUSH), 0)
    pending = [index for index in range(flushed, position) if entries[index].writes]
    fate = dice.choice(tuple(Fate))
    kept = _survivors(pending, fate, dice)
    torn = _torn(kept, fate, dice)
    patches: list[Patch] = []
    for index in pending:
        entry = entries[index]
        if index in torn and not entry.flags & Flag.FUA:
            patches.append(_part(index, entry, dice, unit))
        elif index in kept or entry.flags & Flag.FUA:
            patches.append(Patch(index, entry.start, entry.end))
    return Cut(position, flushed, fate, tuple(patches))


def _survivors(pending: Sequence[int], fate: Fate, dice: random.Random) -> frozenset[int]:
    match fate:
        case Fate.NONE:
            return frozenset()
        case Fate.ALL:
            return frozenset(pending)
        case Fate.FIRST:
            return frozenset(pending[: dice.randint(0, len(pending))])
        case Fate.ANY:
            share = dice.random()
            return frozenset(index for index in pending if dice.random() < share)


def _torn(kept: frozenset[int], fate: Fate, dice: random.Random) -> frozenset[int]:
    """Which of them survive in part: of the first ones it can only be the last, which was under way."""
    match fate:
        case Fate.FIRST:
            return frozenset(sorted(kept)[-1:] if dice.random() < TORN else ())
        case Fate.ANY:
            return frozenset(index for index in sorted(kept) if dice.random() < TORN)
        case _:
            return frozenset()


def _part(index: int, entry: Entry, dice: random.Random, unit: int) -> Patch:
    """Some units of a write: its beginning, its end, or a run in the middle. A write of one unit is whole."""
    units = -(-(entry.end - entry.start) // unit)
    first, last = sorted(dice.sample(range(units + 1), 2)) if units > 1 else (0, 1)
    return Patch(index, entry.start + first * unit, min(entry.end, entry.start + last * unit))
