"""A service's ring: every byte is in it or counted, whatever ends the writer and whatever the file system says."""

import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init import logring
from init.logring import HEAD, RECORD, Ring, Segment, Size, dropped, segments
from tests.fakes.pipe import Pipe

BOOT, OTHER = b"b" * 16, b"o" * 16
SMALL = Size(segment=100, number=3)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def content(directory: Path) -> bytes:
    return b"".join(Path(segment.data_file).read_bytes() for segment in segments(str(directory)))


def fill(directory: Path, pipe: Pipe, *parts: bytes, size: Size = SMALL, boot: bytes = BOOT) -> None:
    ring = Ring(str(directory), boot, size)
    for number, part in enumerate(parts):
        pipe.put(part)
        ring.take(pipe.read, 1000 + number, number * logring.SAME_TIME)
    ring.close()


def test_bytes_come_in_order_and_an_empty_fifo_says_so(tmp_path: Path, pipe: Pipe) -> None:
    ring = Ring(str(tmp_path), BOOT, SMALL)
    pipe.put(b"hello ")
    pipe.put(b"world\n")

    assert ring.take(pipe.read, 1, 1) == 12
    with pytest.raises(BlockingIOError):
        ring.take(pipe.read, 2, 2)
    assert content(tmp_path) == b"hello world\n"
    ring.close()


def test_a_new_writer_goes_on_where_the_file_ends(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"one\n")
    fill(tmp_path, pipe, b"two\n")

    assert content(tmp_path) == b"one\ntwo\n"
    assert len(segments(str(tmp_path))) == 1
    assert [offset for offset, _, _ in segments(str(tmp_path))[0].times()] == [0, 4]


def test_what_a_killed_writer_left_unstamped_is_kept(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"one\n")
    segment = segments(str(tmp_path))[0]
    with Path(segment.data_file).open("ab") as file:
        file.write(b"moved, then killed\n")
    with Path(segment.index_file).open("ab") as file:
        file.write(RECORD.pack(4, 1, 1)[:11])

    fill(tmp_path, pipe, b"two\n")

    assert content(tmp_path) == b"one\nmoved, then killed\ntwo\n"
    assert [offset for offset, _, _ in segment.times()] == [0, 23]


def test_a_segment_belongs_to_one_boot(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"one\n")
    fill(tmp_path, pipe, b"two\n", boot=OTHER)

    assert [(segment.start, segment.head()) for segment in segments(str(tmp_path))] == [(0, (BOOT, 0)), (4, (OTHER, 0))]


def test_a_boot_without_a_byte_leaves_no_trace_in_the_next(tmp_path: Path, pipe: Pipe) -> None:
    ring = Ring(str(tmp_path), BOOT, SMALL)
    with pytest.raises(BlockingIOError):
        ring.take(pipe.read, 1, 1)
    ring.close()

    fill(tmp_path, pipe, b"two\n", boot=OTHER)

    assert [segment.head() for segment in segments(str(tmp_path))] == [(OTHER, 0)]


def test_the_oldest_goes_first_and_is_counted_by_what_is_left(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, *(bytes([65 + number]) * 100 for number in range(5)))

    left = segments(str(tmp_path))

    assert [segment.start for segment in left] == [200, 300, 400]
    assert content(tmp_path) == b"C" * 100 + b"D" * 100 + b"E" * 100
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        Path(path).name for segment in left for path in (segment.data_file, segment.index_file)
    )


def test_a_chatty_service_does_not_fill_the_index(tmp_path: Path, pipe: Pipe) -> None:
    ring = Ring(str(tmp_path), BOOT, Size(10000, 2))
    for moment in range(100):
        pipe.put(b"x\n")
        ring.take(pipe.read, moment, moment * logring.SAME_TIME // 10)
    ring.close()

    assert len(segments(str(tmp_path))[0].times()) == 10


def test_a_damaged_index_costs_times_and_nothing_else(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"one\n")
    Path(segments(str(tmp_path))[0].index_file).write_bytes(b"garbage")

    fill(tmp_path, pipe, b"two\n")

    assert content(tmp_path) == b"one\ntwo\n"


def test_foreign_files_in_the_directory_are_left_alone(tmp_path: Path, pipe: Pipe) -> None:
    for name in ("notes.log", "0123.log", "x" * 20 + ".log", "00000000000000000009.index"):
        (tmp_path / name).write_text("")

    fill(tmp_path, pipe, b"one\n")

    assert [segment.start for segment in segments(str(tmp_path))] == [0]
    assert (tmp_path / "notes.log").exists()


def numbered(directory: Path, boot: bytes = BOOT) -> Ring:
    return Ring(str(directory), boot, SMALL)


def test_what_was_put_last_is_known_to_the_next_writer_of_the_boot(tmp_path: Path) -> None:
    ring = numbered(tmp_path)
    assert ring.last_number() is None
    for number in range(30):  # over several segments
        ring.put(b"0123456789", number, number, number)
        assert numbered(tmp_path).last_number() == number
    assert numbered(tmp_path, OTHER).last_number() is None
    ring.close()


def test_what_was_numbered_and_not_written_is_put_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = numbered(tmp_path)
    ring.put(b"zero", 1, 1, 0)
    with monkeypatch.context() as patch:
        real = os.pwrite

        def killed(descriptor: int, data: bytes, at: int) -> int:
            if data == b"one":
                raise KeyboardInterrupt
            return real(descriptor, data, at)

        patch.setattr(os, "pwrite", killed)
        with pytest.raises(KeyboardInterrupt):
            ring.put(b"one", 2, 2, 1)

    assert numbered(tmp_path).last_number() == 0


def test_a_piece_that_does_not_fit_is_not_there_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = numbered(tmp_path)
    ring.put(b"zero", 1, 1, 0)
    with monkeypatch.context() as patch:
        real = os.pwrite
        patch.setattr(os, "pwrite", lambda descriptor, data, at: real(descriptor, data[: len(data) // 2 + 20], at))
        with pytest.raises(OSError, match="No space"):
            ring.put(b"x" * 60, 2, 2, 1)
    ring.put(b"one", 3, 3, 1)
    ring.close()

    assert content(tmp_path) == b"zeroone"


def test_a_ring_that_is_taken_over_is_counted_on(tmp_path: Path) -> None:
    old, new = numbered(tmp_path / "old"), numbered(tmp_path / "new")
    for number in range(15):
        old.put(b"0123456789", number, number, number)
    old.close()
    for segment in segments(str(tmp_path / "old")):
        new.adopt(segment)

    assert numbered(tmp_path / "new").last_number() == 14
    new.put(b"more", 99, 99, 15)
    assert numbered(tmp_path / "new").last_number() == 15
    new.close()


def test_what_is_dropped_is_counted(tmp_path: Path, pipe: Pipe) -> None:
    ring = Ring(str(tmp_path), BOOT, SMALL)
    pipe.put(b"12345")
    ring.drop(pipe.read)
    pipe.put(b"678")
    ring.drop(pipe.read)

    assert dropped(str(tmp_path)) == 8
    assert dropped(str(tmp_path / "nowhere")) == 0


def test_room_is_made_from_the_oldest_and_never_from_what_is_being_written(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"A" * 100, b"B" * 100)
    ring = Ring(str(tmp_path), BOOT, SMALL)
    pipe.put(b"C")
    ring.take(pipe.read, 1, 1)

    assert [ring.shrink(), ring.shrink(), ring.shrink()] == [True, True, False]
    assert content(tmp_path) == b"C"
    ring.close()


def test_the_newest_part_stays_for_its_name_counts_what_was_before_it(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"A" * 100, b"B" * 100)
    ring = Ring(str(tmp_path), BOOT, SMALL)

    assert [ring.shrink(), ring.shrink()] == [True, False]
    assert segments(str(tmp_path))[0].start == 100


def adopt(source: Path, target: Path) -> None:
    ring = Ring(str(target), BOOT, SMALL)
    for segment in segments(str(source)):
        ring.adopt(segment)
    ring.close()


def test_a_ring_moves_to_the_end_of_another(tmp_path: Path, pipe: Pipe) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    fill(disk, pipe, b"before\n", boot=OTHER)
    fill(memory, pipe, b"one\n", b"two\n")

    adopt(memory, disk)
    fill(disk, pipe, b"three\n")

    assert content(disk) == b"before\none\ntwo\nthree\n"
    assert segments(str(memory)) == []
    moved = segments(str(disk))[1]
    assert moved.head() == (BOOT, 1)
    assert moved.times()[:2] == [(7, 1000, 0), (11, 1001, logring.SAME_TIME)]


def test_moving_again_after_a_kill_in_between_doubles_nothing(tmp_path: Path, pipe: Pipe) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    fill(memory, pipe, b"one\n")
    segment = segments(str(memory))[0]
    kept = {path: Path(path).read_bytes() for path in (segment.data_file, segment.index_file)}
    adopt(memory, disk)
    fill(disk, pipe, b"two\n")
    for path, data in kept.items():  # as if the removal had not been reached
        Path(path).write_bytes(data)

    adopt(memory, disk)

    assert content(disk) == b"one\ntwo\n"
    assert segments(str(memory)) == []


def test_an_empty_segment_moves_to_nothing(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    (memory / f"{0:020d}.log").write_bytes(b"")

    adopt(memory, tmp_path / "disk")

    assert segments(str(memory)) == segments(str(tmp_path / "disk")) == []


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.one_of(st.binary(min_size=1, max_size=150), st.sampled_from(["restart", "reboot"])), max_size=20),
    st.integers(1, 4),
)
def test_every_byte_is_in_the_ring_or_before_its_start(
    tmp_path_factory: pytest.TempPathFactory, story: list[bytes | str], count: int
) -> None:
    directory = tmp_path_factory.mktemp("ring")
    boot, written = BOOT, b""
    pipe = Pipe()
    ring = Ring(str(directory), boot, Size(100, count))
    for number, part in enumerate(story):
        if isinstance(part, str):
            ring.close()
            boot = OTHER if part == "reboot" and boot == BOOT else BOOT if part == "reboot" else boot
            ring = Ring(str(directory), boot, Size(100, count))
        else:
            pipe.put(part)
            ring.take(pipe.read, number, number)
            written += part
    ring.close()
    pipe.close()

    found = segments(str(directory))
    start = found[0].start if found else 0
    assert written[start:] == content(directory)
    assert len(found) <= count
    for before, after in itertools.pairwise(found):
        assert before.start + before.size() == after.start


def test_the_head_is_as_long_as_it_says(tmp_path: Path, pipe: Pipe) -> None:
    fill(tmp_path, pipe, b"one\n")

    index = Path(segments(str(tmp_path))[0].index_file).read_bytes()

    assert (HEAD.size, RECORD.size) == (32, 24)
    assert index == b"heptolog" + BOOT + bytes(8) + RECORD.pack(0, 1000, 0)


def test_a_segment_that_is_gone_says_so(tmp_path: Path) -> None:
    segment = Segment(str(tmp_path), 7)

    with pytest.raises(FileNotFoundError) as caught:
        segment.size()
    assert caught.value.errno == errno.ENOENT
    assert (segment.head(), segment.times()) == ((b"", 0), [])
    segment.remove()
