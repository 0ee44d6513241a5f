import os
from pathlib import Path

import pytest

from init.contract import durable


def test_a_write_replaces_the_whole_file_with_the_mode_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old and longer")

    durable.write(str(path), b"new", 0o640)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["state"]


def test_secrets_are_private_by_default(tmp_path: Path) -> None:
    durable.write(str(tmp_path / "key"), b"k")

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()  # rename of a file over a directory fails
    (tmp_path / "state" / "x").touch()

    with pytest.raises(OSError):
        durable.write(str(tmp_path / "state"), b"new")

    assert os.listdir(tmp_path) == ["state"]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / f".state.{os.getpid()}.tmp").symlink_to(victim)

    with pytest.raises(OSError):
        durable.write(str(tmp_path / "state"), b"new")

    assert victim.read_bytes() == b"untouched"


def test_an_equal_file_is_not_written_again(tmp_path: Path) -> None:
    path = str(tmp_path / "state")

    assert durable.write_if_changed(path, b"one")
    before = os.stat(path).st_ino
    assert not durable.write_if_changed(path, b"one")
    assert os.stat(path).st_ino == before
    assert durable.write_if_changed(path, b"on")
    assert durable.write_if_changed(path, b"on", 0o644)


def test_removing_says_whether_there_was_anything(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    assert durable.remove(str(tmp_path / "state"))
    assert not durable.remove(str(tmp_path / "state"))
