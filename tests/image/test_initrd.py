import contextlib
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.initrd import Entry, character_device, directory, file, link, read, write

# `printf 'hi\n' > a` in newc, inode 1, everything else zero: the format of the kernel's documentation, by hand.
VECTOR = (
    b"070701" + b"00000001" + b"000081A4".lower() + b"00000000" * 2 + b"00000001" + b"00000000" + b"00000003"
    b"00000000" + b"00000000" * 3 + b"00000002" + b"00000000" + b"a\0" + b"hi\n\0"
    b"070701" + b"00000000" * 4 + b"00000001" + b"00000000" * 6 + b"0000000b" + b"00000000" + b"TRAILER!!!\0" + bytes(3)
)


def test_bytes_are_those_of_the_format() -> None:
    archive = write([file("a", b"hi\n")])

    assert archive.rstrip(b"\0") == VECTOR.rstrip(b"\0")
    assert len(archive) % 512 == 0


def test_same_entries_give_the_same_bytes_in_any_order() -> None:
    entries = [file("b/c", b"1"), file("a", b"2"), link("d", "a")]

    assert write(entries) == write(reversed(entries))


def test_parents_come_before_children_and_are_made() -> None:
    archive = write([file("usr/lib/x", b""), file("usr-old", b"")])

    names = [name for name in (b"usr\0", b"usr/lib\0", b"usr/lib/x\0") if name in archive]
    assert names == [b"usr\0", b"usr/lib\0", b"usr/lib/x\0"]
    assert archive.index(b"usr\0") < archive.index(b"usr/lib\0") < archive.index(b"usr/lib/x\0")


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        write([file("a", b"1"), directory("a")])


def test_entries_have_the_right_types() -> None:
    assert stat.S_ISREG(file("a", b"").mode)
    assert stat.S_ISDIR(directory("a").mode)
    assert link("a", "b") == Entry("a", stat.S_IFLNK | 0o777, b"b")
    assert character_device("dev/console", 5, 1).device == (5, 1)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.binary(max_size=40), max_size=5))
def test_what_is_written_is_read_again(contents: dict[str, bytes]) -> None:
    entries = [file(path, content) for path, content in sorted(contents.items())]

    assert read(write(entries)) == entries


def test_devices_and_directories_are_read_too() -> None:
    archive = write([character_device("dev/console", 5, 1), link("b", "a")])

    assert read(archive) == [link("b", "a"), directory("dev"), character_device("dev/console", 5, 1)]


@given(st.data())
def test_an_archive_that_is_cut_off_or_changed_is_refused_or_read(data: st.DataObject) -> None:
    whole = bytearray(write([file("a", b"hi\n"), directory("b")]))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    archive = bytes(whole[: data.draw(st.integers(0, len(whole)))])

    with contextlib.suppress(ValueError):
        assert all(isinstance(entry, Entry) for entry in read(archive))


@pytest.mark.parametrize("data", [b"", b"\x28\xb5\x2f\xfd rest of zstd", write([file("a", b"hi")])[:115]])
def test_what_is_no_whole_archive_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no cpio header|cut off"):
        read(data)
