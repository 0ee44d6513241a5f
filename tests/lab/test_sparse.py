import os
from pathlib import Path

import pytest

from hepto.lab import sparse

MIB = 1 << 20


def disk(path: Path, size: int, **pieces: bytes) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for place, data in pieces.items():
            os.pwrite(file.fileno(), data, int(place.removeprefix("at_")))
    return path


@pytest.mark.parametrize(
    "source",
    [{}, {"at_0": b"begin"}, {"at_1048576": b"middle" * 1000, "at_4194299": b"end"[:3]}, {"at_4194303": b"e"}],
    ids=["empty", "begin", "middle", "end"],
)
def test_a_copy_has_the_same_bytes_and_no_more_blocks(tmp_path: Path, source: dict[str, bytes]) -> None:
    original = disk(tmp_path / "original", 4 * MIB, **source)
    with (tmp_path / "copy").open("wb") as copy:
        sparse.copy(original, copy.fileno())

    assert (tmp_path / "copy").read_bytes() == original.read_bytes()
    assert (tmp_path / "copy").stat().st_blocks <= original.stat().st_blocks


def test_zeros_are_written_only_over_something(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 4 * MIB, at_0=b"x" * 4096)
    before = path.stat().st_blocks
    with path.open("r+b") as file:
        sparse.write(file.fileno(), MIB, bytes(MIB))
        assert path.stat().st_blocks == before
        sparse.write(file.fileno(), 0, bytes(4096))
        sparse.write(file.fileno(), 2 * MIB, b"y" * 10)

    assert path.read_bytes() == bytes(2 * MIB) + b"y" * 10 + bytes(2 * MIB - 10)
