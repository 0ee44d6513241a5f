"""Writing a disk, with a file in its place; a real one is written in tests/vm/test_6_install.py."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.install import driver
from hepto.install.layout import LEAST_DATA, MIB, Disk, Layout, Partition

SIZE = 100 * MIB
DISK = Disk("/dev/sda", SIZE, serial="S1")


class File:
    """A file that is a disk full of old data."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(b"o" * SIZE)
        self.path = path
        self.calls: list[str] = []
        self.script = ""
        self.spoiled: int | None = None

    def write(self, at: int, data: bytes) -> None:
        self.calls.append("write")
        if self.spoiled is not None and at <= self.spoiled < at + len(data):
            data = data[: self.spoiled - at] + b"?" + data[self.spoiled - at + 1 :]
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(data)

    def zero(self, at: int, length: int) -> None:
        self.write(at, bytes(length))

    def read(self, at: int, length: int) -> bytes:
        assert "settle" in self.calls, "else it would come from memory"
        with self.path.open("rb") as file:
            file.seek(at)
            return file.read(length)

    def settle(self) -> None:
        self.calls.append("settle")

    def partition(self, script: str) -> None:
        self.calls.append("partition")
        self.script = script


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Two partitions with content, a blank one, and the data."""
    parts = []
    for index, name in enumerate(("esp.img", "root.erofs")):
        content = os.urandom(MIB + index)
        (tmp_path / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        parts.append(Partition("T", name, (1 + 8 * index) * MIB, 8 * MIB, "", False, name, len(content), digest))
    return Layout("1", (*parts, Partition("T", "_empty", 17 * MIB, 8 * MIB), Partition("T", "d", 25 * MIB, MIB)))


def write(layout: Layout, disk: File, folder: Path) -> int:
    """How many bytes it has told of."""
    told: list[int] = []
    driver.write(DISK, layout, told.append, str(folder), lambda _path: disk)
    return sum(told)


def test_partitions_are_their_files_and_zeros_and_the_table_comes_last(layout: Layout, tmp_path: Path) -> None:
    disk = File(tmp_path / "disk")

    told = write(layout, disk, tmp_path)

    data = disk.path.read_bytes()
    for part in layout.partitions[:2]:
        content = (tmp_path / part.file).read_bytes()
        assert data[part.offset : part.offset + part.size] == content + bytes(part.size - len(content))
    for start in (0, 17 * MIB, 25 * MIB, SIZE - MIB):
        assert data[start : start + MIB] == bytes(MIB)
    assert data[40 * MIB : 41 * MIB] == b"o" * MIB, "what is behind that belongs to the data, and is left"
    assert disk.calls[-1] == "partition"
    assert disk.script == layout.script
    assert told == driver.work(layout)


def test_a_disk_that_keeps_something_else_gets_no_table(layout: Layout, tmp_path: Path) -> None:
    disk = File(tmp_path / "disk")
    disk.spoiled = layout.partitions[1].offset + 5

    with pytest.raises(UserError, match="is not what the medium's checksum says"):
        write(layout, disk, tmp_path)

    assert "partition" not in disk.calls
    assert disk.path.read_bytes()[:MIB] == bytes(MIB)


def test_a_disk_that_is_in_use_is_not_touched(layout: Layout, tmp_path: Path) -> None:
    def opened(_path: str) -> File:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    with pytest.raises(UserError, match="cannot be written: Device or resource busy"):
        driver.write(DISK, layout, lambda _: None, str(tmp_path), opened)


def test_elsewhere_than_on_a_medium_there_is_nothing_to_install(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not started from an installation medium") as caught:
        driver.medium(str(tmp_path))

    assert "hepto build --format iso" in caught.value.hint


def test_the_room_for_data_is_part_of_what_is_needed(layout: Layout) -> None:
    assert layout.needed == 25 * MIB + LEAST_DATA + MIB
