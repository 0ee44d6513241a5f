import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import gossip_cell
from bench.gossip_cell import Cell
from bench.gossip_systems import System
from bench.gossip_views import Sight, What

# A member that sees two others at once, its lines cut in pieces, and then waits.
SCRIPT = "printf 'n1\\nn'; printf '2\\n'; exec sleep 100"


def cell_of(script: str, log: Path) -> Iterator[Cell]:
    system = System(lambda number: ["sh", "-c", script], lambda line: Sight(What.JOINED, line))
    with log.open("wb") as errors:
        cell = Cell(system, 2, errors)
        yield cell
        cell.close()


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    yield from cell_of(SCRIPT, tmp_path / "log")


@pytest.fixture
def cell_that_ends(tmp_path: Path) -> Iterator[Cell]:
    yield from cell_of("exit 0", tmp_path / "log")


def test_members_have_converged_when_all_have_said_so(cell: Cell) -> None:
    cell._start(1)
    cell._start(2)

    cell._converge()  # raises otherwise


def test_a_member_that_was_killed_is_gone_and_may_come_back(cell: Cell) -> None:
    cell._start(1)
    cell._start(2)
    cell._kill(2)

    assert set(cell._members) == {1}

    cell._start(2)
    cell._converge()


def test_waiting_has_an_end(cell: Cell) -> None:
    before = time.monotonic()

    assert not cell._pump(lambda: False, 0.01)
    assert time.monotonic() - before < 10


def test_a_member_that_ends_by_itself_is_an_error(cell_that_ends: Cell) -> None:
    cell_that_ends._start(1)

    with pytest.raises(ChildProcessError, match="n1 has ended by itself"):
        cell_that_ends._pump(lambda: False, 10)


def test_an_order_that_does_not_exist_is_refused(cell: Cell) -> None:
    assert gossip_cell.carry_out(cell, json.dumps({"do": "close"})) == {"error": "no order 'close'"}


def test_every_order_is_a_method(cell: Cell) -> None:
    assert all(callable(getattr(cell, order)) for order in gossip_cell.ORDERS)
