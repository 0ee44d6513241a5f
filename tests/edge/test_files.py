from pathlib import Path

import pytest

from hepto.edge import files


def test_what_is_absent_is_none_and_what_is_there_is_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    assert files.read(str(tmp_path / "file")) == b"content"
    assert files.read(str(tmp_path / "none")) is None


def test_more_than_allowed_is_an_error_and_not_a_part(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")

    assert files.read(str(tmp_path / "file"), 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        files.read(str(tmp_path / "file"), 4)


def test_names_are_sorted_and_no_directory_has_none(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).touch()

    assert files.names(str(tmp_path)) == ("a", "b")
    assert files.names(str(tmp_path / "none")) == ()


def test_the_room_of_a_file_system_is_that_of_statvfs(tmp_path: Path) -> None:
    found = files.space(str(tmp_path))

    assert 0 <= found.free <= found.total
    assert 0 <= found.free_inodes <= found.inodes
    with pytest.raises(FileNotFoundError):
        files.space(str(tmp_path / "none"))
