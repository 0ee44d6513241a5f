"""Looks at the directory of service files."""

import errno
import os
from pathlib import Path

import pytest

from init.contract.service import MAX_BYTES
from init.directory import RESCAN, SOON, Changes, Directory


def put(directory: Path, name: str, content: bytes) -> None:
    temporary = directory / f".{name}.1.tmp"
    temporary.write_bytes(content)
    temporary.rename(directory / name)


def test_a_look_finds_what_is_new_changed_and_gone_and_nothing_else(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path))
    put(tmp_path, "etcd.json", b"one")
    put(tmp_path, "kubelet.json", b"two")
    assert directory.look(0.0) == Changes({"etcd": b"one", "kubelet": b"two"}, frozenset({"etcd", "kubelet"}))
    assert directory.look(1.0) == Changes({}, frozenset({"etcd", "kubelet"}))
    put(tmp_path, "etcd.json", b"ONE")
    os.unlink(tmp_path / "kubelet.json")

    assert directory.look(2.0) == Changes({"etcd": b"ONE"}, frozenset({"etcd"}))
    assert directory.look(3.0) == Changes({}, frozenset({"etcd"}))


def test_what_is_no_service_file_is_not_seen(tmp_path: Path) -> None:
    for name in (".etcd.json.1.tmp", "etcd", "Etcd.json", ".json", "a" * 33 + ".json", "etcd.json.bak"):
        (tmp_path / name).write_bytes(b"x")

    assert Directory(str(tmp_path)).look(0.0) == Changes({}, frozenset())


def test_what_cannot_be_read_has_no_content_and_holds_up_nothing(tmp_path: Path) -> None:
    (tmp_path / "directory.json").mkdir()
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    put(tmp_path, "etcd.json", b"one")
    written = {"directory": b"", "fifo": b"", "loop": b"", "etcd": b"one"}

    assert Directory(str(tmp_path)).look(0.0) == Changes(written, frozenset(written))


def test_a_file_is_read_to_just_behind_the_largest_size(tmp_path: Path) -> None:
    put(tmp_path, "etcd.json", b"x" * (MAX_BYTES + 100))

    assert len(Directory(str(tmp_path)).look(0.0).written["etcd"]) == MAX_BYTES + 1


def test_a_directory_that_is_away_is_no_fact_about_any_service(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "services"))
    (tmp_path / "services").mkdir()
    put(tmp_path / "services", "etcd.json", b"one")
    directory.look(0.0)
    (tmp_path / "services").rename(tmp_path / "away")

    assert directory.look(1.0) == Changes({}, None)


def test_looks_are_due_now_and_then_and_at_once_after_an_event(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path))
    directory.look(5.0)
    assert directory.deadline() == 5.0 + RESCAN
    directory.look_now()

    assert directory.deadline() <= 5.0


def test_forgetting_reads_everything_anew(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path))
    put(tmp_path, "etcd.json", b"one")
    directory.look(0.0)
    directory.forget()

    assert directory.look(1.0) == Changes({"etcd": b"one"}, frozenset({"etcd"}))


def test_a_file_that_could_not_be_read_for_want_of_descriptors_is_read_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    directory = Directory(str(tmp_path))
    put(tmp_path, "etcd.json", b"one")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        assert directory.look(0.0) == Changes({}, frozenset({"etcd"}))

    assert directory.deadline() == SOON
    assert directory.look(SOON) == Changes({"etcd": b"one"}, frozenset({"etcd"}))
