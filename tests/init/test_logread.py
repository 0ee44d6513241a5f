"""Reading logs: in order, without gaps that are not counted, while they grow, are overwritten and move."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from init import logread, logring
from init.contract import paths
from init.logread import Following, Reader, Since, lines, services
from init.logring import Ring, Size, segments
from tests.fakes.pipe import Pipe

SMALL = Size(100, 3)
BOOT, OTHER = b"b" * 16, b"o" * 16


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


class Place:
    """A service's two rings, and a writer for each."""

    def __init__(self, root: Path, pipe: Pipe):
        self.where = (str(root / "memory"), str(root / "disk"))
        self._pipe = pipe
        self._time = 0

    def write(self, place: int, data: bytes, boot: bytes = BOOT) -> None:
        ring = Ring(f"{self.where[place]}/x", boot, SMALL)
        self._pipe.put(data)
        self._time += 1
        ring.take(self._pipe.read, self._time * 10**9, self._time * 10**9)
        ring.close()

    def move(self) -> None:
        ring = Ring(f"{self.where[1]}/x", BOOT, SMALL)
        for segment in segments(f"{self.where[0]}/x"):
            ring.adopt(segment)
        ring.close()


@pytest.fixture
def place(tmp_path: Path, pipe: Pipe) -> Place:
    return Place(tmp_path, pipe)


def read_all(reader: Reader, size: int = 7) -> bytes:
    data = b""
    while part := reader.read(size):
        data += part
    return data


def test_a_reader_follows_what_grows_over_segments_and_boots(place: Place) -> None:
    place.write(1, b"a" * 150)
    reader = Reader("x", place.where)

    assert read_all(reader) == b"a" * 150
    assert reader.read() == b""
    place.write(1, b"b" * 150)
    place.write(1, b"c\n", OTHER)

    assert read_all(reader) == b"b" * 150 + b"c\n"
    assert reader.lost == 0
    assert reader.offset == 302


def test_what_was_overwritten_before_it_was_read_is_counted(place: Place) -> None:
    place.write(1, b"a" * 100)
    reader = Reader("x", place.where)
    reader.read(10)
    for letter in b"bcde":
        place.write(1, bytes([letter]) * 100)

    assert read_all(reader) == b"c" * 100 + b"d" * 100 + b"e" * 100
    assert reader.lost == 190


def test_a_tail_begins_near_the_end(place: Place) -> None:
    place.write(1, b"0123456789")

    assert read_all(Reader("x", place.where, tail=4)) == b"6789"
    assert read_all(Reader("x", place.where, tail=400)) == b"0123456789"


def test_a_reader_follows_from_memory_to_disk_in_the_middle_of_a_line(place: Place) -> None:
    place.write(1, b"last boot\n", OTHER)
    place.write(0, b"this boot ")
    reader = Reader("x", (place.where[0], place.where[1] + "-not-yet"))
    assert reader.read(5) == b"this "
    moving = Reader("x", place.where)
    assert read_all(moving) == b"last boot\nthis boot "

    place.move()
    place.write(1, b"goes on\n")
    reader._disk = place.where[1] + "/x"  # the disk is there now

    assert read_all(reader) == b"boot goes on\n"
    assert read_all(moving) == b"goes on\n"
    assert (reader.lost, moving.lost) == (0, 0)


def test_a_service_without_a_log_has_nothing_yet(place: Place) -> None:
    reader = Reader("x", place.where)
    assert reader.read() == b""

    place.write(0, b"first\n")

    assert reader.read() == b"first\n"


def test_lines_carry_the_time_at_which_they_began(place: Place) -> None:
    place.write(1, b"one\ntw")
    place.write(1, b"o\nthree")

    found = list(lines("x", place.where))

    assert [(line.text, line.wall, line.offset) for line in found] == [
        ("one", 1.0, 0),
        ("two", 1.0, 4),
        ("three", 2.0, 8),
    ]


def test_a_line_over_two_segments_is_one_line(place: Place) -> None:
    place.write(1, b"x" * 99)
    place.write(1, b"y")
    place.write(1, b"z\nnext\n")

    assert [line.text for line in lines("x", place.where)] == ["x" * 99 + "yz", "next"]


def test_lines_are_given_as_they_become_complete(place: Place) -> None:
    following = Following(Reader("x", place.where))
    assert following.take() == []
    place.write(1, b"one\nsecond ")
    assert [(line.text, line.wall) for line in following.take()] == [("one", 1.0)]
    assert following.take() == []
    place.write(1, b"half\nth")
    place.write(1, b"ree\n")

    assert [(line.text, line.wall) for line in following.take()] == [("second half", 1.0), ("three", 2.0)]
    assert following.rest() == []


def test_what_a_boot_left_unfinished_is_no_part_of_the_next_one_s_line(place: Place) -> None:
    place.write(1, b"cut o", OTHER)
    place.write(1, b"first\n")

    assert [(line.text, line.boot_id) for line in lines("x", place.where)] == [("cut o", OTHER), ("first", BOOT)]


def test_a_line_whose_beginning_is_kept_and_whose_end_was_overwritten_is_left_out(place: Place) -> None:
    following = Following(Reader("x", place.where))
    place.write(1, b"kept\nbegun ")
    assert [line.text for line in following.take()] == ["kept"]
    for letter in b"abcde":
        place.write(1, bytes([letter]) * 99 + b"\n")

    assert [line.text[:3] for _ in range(3) for line in following.take()] == ["ccc", "ddd", "eee"]


def test_since_compares_lines_of_this_boot_by_the_boot_clock_and_skips_what_ends_before(place: Place) -> None:
    for text in ("a", "b", "c", "d"):
        place.write(1, (text * 99 + "\n").encode(), OTHER if text == "a" else BOOT)

    def texts(since: Since) -> str:
        return "".join(line.text[0] for line in lines("x", place.where, since))

    assert texts(Since(0.0, 3.0, BOOT)) == "cd"  # the ring holds three segments
    assert texts(Since(99.0, 4.0, BOOT)) == "d"
    assert texts(Since(3.0, 99.0, b"another")) == "cd"
    assert texts(Since(99.0, 0.0, b"another")) == ""


def test_lines_without_an_index_have_no_time_and_bad_bytes_are_shown(place: Place) -> None:
    place.write(1, b"\xff\xfe\n")
    Path(segments(f"{place.where[1]}/x")[0].index_file).unlink()

    assert [(line.text, line.wall) for line in lines("x", place.where)] == [("\ufffd\ufffd", None)]


@pytest.mark.parametrize("whole", [True, False])
def test_a_disk_that_cannot_be_read_is_said_and_memory_is_shown(place: Place, *, whole: bool) -> None:
    """A directory in a file's place raises as a bad disk does, for root too."""
    place.write(1, b"on disk\n" * 20)
    if not whole:
        place.write(1, b"begun ")
    unreadable = Path(segments(f"{place.where[1]}/x")[0 if whole else -1].data_file)
    following = Following(Reader("x", place.where))
    if not whole:
        assert {line.text for line in following.take()} == {"on disk"}
    unreadable.unlink()
    unreadable.mkdir()
    place.write(0, b"in memory\n")

    remarks = [line for line in lines("x", place.where) if line.offset == logread.REMARK]
    shown = [line.text for line in lines("x", place.where, Since(0.0, 0.0, BOOT))]

    assert [line.text for line in remarks] == ["(the log on the disk cannot be read: Is a directory)"]
    assert shown[-2:] == [remarks[0].text, "in memory"]
    assert [line.text for line in following.take()][-2:] == [remarks[0].text, "in memory"]
    assert following.take() == []
    place.write(0, b"more\n")
    assert [line.text for line in following.take()] == ["more"]


def test_all_services_are_named_once(place: Place) -> None:
    place.write(0, b"a")
    place.write(1, b"a")

    assert services(place.where) == ("x",)
    assert services(("/nowhere", "/nowhere")) == ()


def test_the_places_are_where_the_logger_writes() -> None:
    assert logread.places() == ("/run/hepto/log.d", f"{paths.NODE}/{logring.BELOW_NODE}")
