"""The log's reader and what it lets a power cut do, against a model: a list of what each sector may hold."""

import io
import random
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.writelog import MAGIC, Cut, Fate, Flag, WriteLog, WriteLogError, cut

SECTOR = 512
SECTORS = 16
"""Of the model's disk."""


@dataclass(frozen=True)
class Request:
    """What a guest asked for. `fill` is the byte that all of its data has."""

    sector: int = 0
    sectors: int = 0
    flags: int = 0
    fill: int = 0

    def encoded(self) -> bytes:
        head = struct.pack("<QQQQ", self.sector, self.sectors, self.flags, 0).ljust(SECTOR, b"\0")
        return head if self.flags & Flag.DISCARD else head + bytes([self.fill]) * (self.sectors * SECTOR)


FLUSH = Request(flags=Flag.FLUSH)


def encoded(requests: list[Request], count: int | None = None) -> bytes:
    """A log as the format's description has it, written without the code under test."""
    head = struct.pack("<QQQI", MAGIC, 1, len(requests) if count is None else count, SECTOR).ljust(SECTOR, b"\0")
    return head + b"".join(request.encoded() for request in requests)


def log_of(requests: list[Request]) -> WriteLog:
    return WriteLog(io.BytesIO(encoded(requests)))


def disk_after(log: WriteLog, found: Cut) -> list[int]:
    """The first byte of each sector, after a cut of a disk full of zeros; sectors are whole."""
    disk = bytearray(SECTORS * SECTOR)
    for entry in log.entries[: found.flushed]:
        if entry.writes:
            for place, data in log.data(entry, entry.start, entry.end):
                disk[place : place + len(data)] = data
    for patch in found.patches:
        for place, data in log.data(log.entries[patch.entry], patch.start, patch.end):
            disk[place : place + len(data)] = data
    sectors = [disk[at : at + SECTOR] for at in range(0, len(disk), SECTOR)]
    assert all(set(sector) == {sector[0]} for sector in sectors)
    return [sector[0] for sector in sectors]


def test_entries_are_read_as_they_were_written() -> None:
    log = log_of([Request(2, 3, fill=7), FLUSH, Request(4, 1, Flag.DISCARD), Request(0, 1, Flag.FUA, 9)])

    assert [(entry.start, entry.end, entry.flags) for entry in log.entries] == [
        (2 * SECTOR, 5 * SECTOR, Flag(0)),
        (0, 0, Flag.FLUSH),
        (4 * SECTOR, 5 * SECTOR, Flag.DISCARD),
        (0, SECTOR, Flag.FUA),
    ]
    assert list(log.data(log.entries[0], 3 * SECTOR, 5 * SECTOR)) == [(3 * SECTOR, b"\x07" * 2 * SECTOR)]
    assert list(log.data(log.entries[2], 4 * SECTOR, 5 * SECTOR)) == [(4 * SECTOR, bytes(SECTOR))]
    assert list(log.data(log.entries[3], 0, SECTOR)) == [(0, b"\x09" * SECTOR)]


def test_a_length_of_the_log_tells_what_it_held_then() -> None:
    whole = encoded([Request(0, 1, fill=1), FLUSH, Request(1, 2, fill=2)])
    log = WriteLog(io.BytesIO(whole))

    lengths = (0, SECTOR, 3 * SECTOR - 1, 3 * SECTOR, 4 * SECTOR, len(whole) - 1, len(whole), len(whole) + 1)

    assert [log.entries_within(length) for length in lengths] == [0, 0, 0, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "too short"),
        (bytes(600), "no write log"),
        (encoded([]).replace(struct.pack("<QQ", MAGIC, 1), struct.pack("<QQ", MAGIC, 2)), "no write log"),
        (encoded([FLUSH], count=2), "ends before entry 1 of 2"),
        (encoded([FLUSH, Request(0, 0), FLUSH]), "entry 1 of 3 is damaged"),
        (encoded([Request(0, 1, 0x40)]), "entry 0 of 1 is damaged"),
    ],
)
def test_what_is_no_log_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(WriteLogError, match=says):
        WriteLog(io.BytesIO(data))


def test_data_that_lacks_is_noticed_and_not_taken_for_zeros() -> None:
    log = WriteLog(io.BytesIO(encoded([Request(0, 2, fill=1)])[:-1]))

    with pytest.raises(WriteLogError, match="within the data"):
        list(log.data(log.entries[0], 0, 2 * SECTOR))


def requests() -> st.SearchStrategy[list[Request]]:
    """A guest that writes, flushes and discards over a few sectors, each write with a byte of its own."""
    write = st.tuples(
        st.integers(0, SECTORS - 4), st.integers(1, 4), st.sampled_from([0, 0, 0, Flag.FUA, Flag.DISCARD])
    )
    step = st.one_of(write, st.just(None))
    return st.lists(step, max_size=40).map(
        lambda steps: [
            FLUSH if one is None else Request(one[0], one[1], one[2], 0 if one[2] & Flag.DISCARD else index + 1)
            for index, one in enumerate(steps)
        ]
    )


@given(requests(), st.data(), st.integers(0, 2**32))
def test_a_cut_keeps_what_was_flushed_and_invents_nothing(asked: list[Request], data: st.DataObject, seed: int) -> None:
    log = log_of(asked)
    position = data.draw(st.integers(0, len(asked)))
    flushed = max((index for index in range(position) if asked[index].flags & Flag.FLUSH), default=0)
    may_hold = [{0} for _ in range(SECTORS)]
    for index, request in enumerate(asked[:position]):
        for sector in range(request.sector, request.sector + request.sectors):
            sure = index < flushed or request.flags & Flag.FUA
            may_hold[sector] = {request.fill} if sure else may_hold[sector] | {request.fill}

    found = disk_after(log, cut(log.entries, position, random.Random(seed)))

    assert [value for value, allowed in zip(found, may_hold, strict=True) if value not in allowed] == []


@given(requests(), st.integers(0, 2**32))
def test_the_same_seed_cuts_the_same(asked: list[Request], seed: int) -> None:
    entries = log_of(asked).entries

    assert cut(entries, len(asked), random.Random(seed)) == cut(entries, len(asked), random.Random(seed))


def cuts(asked: list[Request], unit: int = SECTOR) -> list[Cut]:
    """Many of them, at the end of the log."""
    entries = log_of(asked).entries
    return [cut(entries, len(asked), random.Random(seed), unit=unit) for seed in range(800)]


def test_every_fate_befalls_the_writes_since_the_last_flush() -> None:
    asked = [Request(0, 1, fill=1), FLUSH, Request(1, 1, fill=2), Request(2, 1, fill=3)]
    log = log_of(asked)

    found = {(found.fate, *disk_after(log, found)[:3]) for found in cuts(asked)}

    assert {fate for fate, *_ in found} == set(Fate)
    assert {tuple(disk) for _, *disk in found} == {(1, 0, 0), (1, 2, 0), (1, 0, 3), (1, 2, 3)}
    assert {tuple(disk) for fate, *disk in found if fate is Fate.FIRST} == {(1, 0, 0), (1, 2, 0), (1, 2, 3)}
    assert {tuple(disk) for fate, *disk in found if fate is Fate.NONE} == {(1, 0, 0)}
    assert {tuple(disk) for fate, *disk in found if fate is Fate.ALL} == {(1, 2, 3)}


def test_of_two_writes_to_one_place_the_later_may_be_lost_and_the_earlier_kept() -> None:
    asked = [Request(0, 1, fill=1), Request(0, 1, fill=2)]
    log = log_of(asked)

    assert {disk_after(log, found)[0] for found in cuts(asked)} == {0, 1, 2}


def test_a_write_is_torn_between_units_and_never_within_one() -> None:
    asked = [Request(0, 4, fill=1)]
    log = log_of(asked)

    by_sector = {tuple(disk_after(log, found)[:4]) for found in cuts(asked)}
    by_two = {tuple(disk_after(log, found)[:4]) for found in cuts(asked, unit=2 * SECTOR)}

    assert {(1, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0), (1, 1, 1, 1), (0, 0, 0, 0)} <= by_sector
    assert by_two == {(0, 0, 0, 0), (1, 1, 0, 0), (0, 0, 1, 1), (1, 1, 1, 1)}


def test_a_flush_without_writes_after_it_leaves_nothing_to_chance() -> None:
    asked = [Request(0, 1, fill=1), FLUSH]

    assert {found.patches for found in cuts(asked)} == {()}
    assert {found.flushed for found in cuts(asked)} == {1}
