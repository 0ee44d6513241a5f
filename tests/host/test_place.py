"""A node is alive while its lock is held; what is left of dead ones goes with the next look."""

import os
from pathlib import Path

import pytest

from hepto.host import place
from hepto.host.place import Place, Record


def node(run: Path, name: str, group: Path) -> tuple[Place, int]:
    """A node as its keeper notes it, and the lock."""
    where = Place(run / name)
    lock = place.acquire(where)
    assert lock is not None
    where.directory.mkdir()
    where.write(Record(name, "demo", "full", "eth0", "/srv", os.getpid(), str(group), 7, "macvlan", 6443))
    return where, lock


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    where, lock = node(tmp_path / "run", "n1", tmp_path)

    assert place.acquire(where) is None
    os.close(lock)
    again = place.acquire(where)
    assert again is not None
    os.close(again)


def test_living_nodes_are_listed_and_dead_ones_swept(tmp_path: Path) -> None:
    run, group = tmp_path / "run", tmp_path / "group"
    (group / "node/kubepods").mkdir(parents=True)
    alive, lock = node(run, "n1", tmp_path / "none")
    dead, broken = node(run, "n2", group)
    (run / ".n3.lock").touch()  # a keeper that was killed before it noted anything
    os.close(broken)

    found = list(place.living(run))

    assert [record.name for record in found] == ["n1"]
    assert sorted(path.name for path in run.iterdir()) == [".n1.lock", "n1"]
    assert not dead.directory.exists()
    assert not group.exists()
    os.close(lock)
    assert list(place.living(run)) == []
    assert not alive.directory.exists()
    assert not run.exists()


def test_the_end_of_a_node_is_waited_for(tmp_path: Path) -> None:
    where, lock = node(tmp_path / "run", "n1", tmp_path / "none")

    assert not place.ended(where, 0.1)
    os.close(lock)
    assert place.ended(where, 0.1)
    assert not where.directory.exists()


def test_files_below_a_node_s_root_are_never_removed(tmp_path: Path) -> None:
    where, lock = node(tmp_path / "run", "n1", tmp_path / "none")
    (where.root / "var").mkdir(parents=True)
    (where.root / "var/data").touch()
    os.close(lock)

    with pytest.raises(OSError, match="not empty"):
        list(place.living(tmp_path / "run"))

    assert (where.root / "var/data").exists()


def test_what_cannot_be_read_is_no_record(tmp_path: Path) -> None:
    where = Place(tmp_path)

    for content in (None, "", "[]", '{"name": "n1"}'):
        if content is not None:
            where.record.write_text(content)
        assert where.read() is None
