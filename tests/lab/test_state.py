"""Locks and leftovers of labs, on real files in a directory of the test's own."""

import os
import socket
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.lab import state


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path / "home")}


def test_labs_live_below_the_state_home(environment: dict[str, str], tmp_path: Path) -> None:
    assert state.place("one", environment).directory == tmp_path / "state/hepto/lab/one"
    assert state.labs_directory({"HOME": "/home/x"}) == Path("/home/x/.local/state/hepto/lab")
    assert state.labs_directory({"HOME": "/home/x", "XDG_STATE_HOME": "rel"}).is_relative_to("/home/x")


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "router", "outside", "-a", "a" * 33])
def test_a_name_that_cannot_be_is_refused(name: str, environment: dict[str, str]) -> None:
    with pytest.raises(UserError):
        state.place(name, environment)


def test_a_lock_is_held_once_and_says_that_the_lab_lives(environment: dict[str, str]) -> None:
    where = state.place("one", environment)
    descriptor = state.acquire(where)

    assert descriptor is not None
    assert state.acquire(where) is None
    assert state.alive(where)
    os.close(descriptor)
    assert not state.alive(where)


def test_a_removed_lock_is_worth_nothing_to_who_waited_for_it(environment: dict[str, str]) -> None:
    where = state.place("one", environment)
    first = state.acquire(where)
    assert first is not None
    where.lock.unlink()
    second = state.acquire(where)

    assert second is not None
    assert os.fstat(second).st_ino == where.lock.stat().st_ino
    os.close(first)
    os.close(second)


def test_removing_the_last_lab_leaves_no_directory(environment: dict[str, str], tmp_path: Path) -> None:
    where = state.place("one", environment)
    descriptor = state.acquire(where)
    assert descriptor is not None
    where.directory.mkdir()
    (where.directory / "data.raw").touch()

    state.remove(where)

    os.close(descriptor)
    assert list((tmp_path / "state").iterdir()) == []


def test_sweeping_takes_the_dead_and_leaves_the_living(environment: dict[str, str]) -> None:
    dead, living, lone = (state.place(name, environment) for name in ("dead", "living", "lone"))
    descriptor = state.acquire(living)
    assert descriptor is not None
    living.directory.mkdir()
    dead.directory.mkdir()
    lone.lock.touch()

    assert state.sweep(environment) == ("lone", "dead")
    assert not dead.directory.exists()
    assert not lone.lock.exists()
    assert living.directory.exists()
    assert state.living(environment) == ("living",)
    os.close(descriptor)


def test_a_socket_fits_however_long_its_directory_is(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 100) / ("y" * 100)
    directory.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with state.short_path(directory / "holder.sock") as path:
            server.bind(path)
            server.listen()
            client.connect(path)

    assert (directory / "holder.sock").is_socket()
