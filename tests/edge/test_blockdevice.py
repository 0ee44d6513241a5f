from pathlib import Path

import pytest

from hepto.edge import blockdevice


def sysfs(root: Path, path: Path, name: str = "vdb") -> None:
    number = path.stat().st_dev
    directory = root / "sys/devices/virtual/block" / name
    directory.mkdir(parents=True)
    (links := root / "sys/dev/block").mkdir(parents=True)
    (links / f"{number >> 8}:{number & 255}").symlink_to(directory)


def test_the_device_of_a_file_system_is_found_by_its_number(tmp_path: Path) -> None:
    assert blockdevice.device_of(str(tmp_path), str(tmp_path)) is None

    sysfs(tmp_path, tmp_path)

    assert blockdevice.device_of(str(tmp_path), str(tmp_path)) == "vdb"


@pytest.mark.parametrize(("content", "expected"), [("0\n", 0), ("3\n", 3), ("x\n", 0), (None, 0)])
def test_the_kernel_counts_errors(tmp_path: Path, content: str | None, expected: int) -> None:
    place = tmp_path / "sys/fs/ext4/vdb"
    place.mkdir(parents=True)
    if content is not None:
        (place / "errors_count").write_text(content)

    assert blockdevice.errors("vdb", str(tmp_path)) == expected


def test_what_is_not_there_does_not_answer(tmp_path: Path) -> None:
    assert not blockdevice.answers("vdb", str(tmp_path))
