import stat
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


def test_a_directory_gets_its_mode_also_when_it_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o755)
    files.make_directory(str(tmp_path / "a"))
    files.make_directory(str(tmp_path / "b/c"), 0o750)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "b/c").stat().st_mode) == 0o750


def test_names_are_sorted_and_no_directory_has_none(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).touch()

    assert files.names(str(tmp_path)) == ("a", "b")
    assert files.names(str(tmp_path / "none")) == ()
