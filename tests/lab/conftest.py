"""A lab with one machine that is no QEMU."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.lab import client, state
from hepto.lab.client import LabClient
from tests.lab.labs import LIMIT, lab


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the labs of this user are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def made(home: Path) -> Iterator[LabClient]:
    """A lab with one node whose channel is open."""
    where = state.place("test")
    client.make(lab(), where).keep()
    with LabClient(where) as connection:
        connection.wait_for("one", lambda node: node["channel"], LIMIT)
        yield connection
        if state.alive(where):
            with LabClient(where) as last:
                last.down()
