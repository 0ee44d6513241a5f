import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hepto.edge import files
from hepto.edge.files import Space
from hepto.node import keeper as module
from hepto.node import state
from hepto.node.board import Board
from hepto.node.keeper import PROBLEM, Keeper
from hepto.node.state import State
from init.contract import durable
from init.contract.status import Reason


def kept(directory: Path) -> State:
    path = directory / "state.json"
    return state.load(path.read_bytes() if path.exists() else None, str(path))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a file announces nothing
            await asyncio.sleep(0)


def waits(board: Board) -> list[str]:
    return [wait.what for wait in board.status.waits if wait.reason is Reason.DATA_DISK]


class Disk:
    """What becomes of durable writes: an error, or nothing until it is let go on."""

    def __init__(self) -> None:
        self.number = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.tries = 0

    def write(self, path: str, data: bytes) -> None:
        self.tries += 1
        self.goes_on.wait(10)
        if self.number:
            raise OSError(self.number, os.strerror(self.number), path)
        Path(path).write_bytes(data)


@pytest.fixture
def disk() -> Iterator[Disk]:
    found = Disk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "write", found.write)
        patch.setattr(module, "LOOK_SECONDS", 0.01)
        patch.setattr(module, "WRITE_SECONDS", 0.0)
        patch.setattr(module, "SILENT_SECONDS", 0.01)
        patch.setattr(Board, "root", "/")
        yield found


def test_each_part_is_kept_beside_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        keeper = Keeper(Board(), str(tmp_path), State(clock=5.0, machine_id="ab"))
        task = asyncio.create_task(keeper.run())
        keeper.keep(gossip={"incarnation": 7})
        keeper.keep(clock=6.0, handshake=4.0)
        await until(lambda: kept(tmp_path).handshake is not None)
        task.cancel()

    asyncio.run(story())
    assert kept(tmp_path) == State(clock=6.0, handshake=4.0, machine_id="ab", gossip={"incarnation": 7})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing_is_named_until_it_does(tmp_path: Path, disk: Disk, number: int) -> None:
    async def story() -> None:
        board = Board()
        keeper = Keeper(board, str(tmp_path), State())
        task = asyncio.create_task(keeper.run())
        keeper.keep(clock=5.0)
        disk.number = number
        await until(lambda: waits(board))
        tries = disk.tries
        await until(lambda: disk.tries > tries + 2)
        assert kept(tmp_path) == State()
        board.work.clear()
        disk.number = 0
        await until(lambda: not waits(board))
        assert kept(tmp_path).clock == 5.0
        assert board.work.is_set(), "others try again what they could not do"
        task.cancel()

    asyncio.run(story())


def test_it_is_found_out_without_anything_to_keep(tmp_path: Path, disk: Disk) -> None:
    async def story() -> None:
        board = Board()
        task = asyncio.create_task(Keeper(board, str(tmp_path), State()).run())
        await until(lambda: disk.tries > 2)
        disk.number = errno.ENOSPC
        await until(lambda: waits(board))
        task.cancel()

    asyncio.run(story())


def test_without_news_it_is_written_rarely_but_at_once_when_there_is_no_room(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    space = Space(100, 50, 10, 5)

    def look(path: str) -> Space:
        nonlocal looks
        looks += 1
        return space

    monkeypatch.setattr(module, "WRITE_SECONDS", 1000.0)
    monkeypatch.setattr(files, "space", look)

    async def story() -> None:
        nonlocal space
        task = asyncio.create_task(Keeper(Board(), str(tmp_path), State()).run())
        await until(lambda: looks > 3)
        assert disk.tries == 0
        space = Space(100, 0, 10, 5)
        await until(lambda: disk.tries > 2)
        task.cancel()

    asyncio.run(story())


def test_a_disk_that_does_not_answer_is_named_and_asked_once(tmp_path: Path, disk: Disk) -> None:
    async def story() -> None:
        board = Board()
        disk.goes_on.clear()
        task = asyncio.create_task(Keeper(board, str(tmp_path), State()).run())
        await until(lambda: waits(board))
        assert waits(board) == ["the data disk has not answered for 0 s"]
        assert disk.tries == 1
        disk.goes_on.set()
        await until(lambda: not waits(board))
        task.cancel()

    asyncio.run(story())


def test_at_the_end_a_disk_that_takes_nothing_ends_nothing(tmp_path: Path, disk: Disk) -> None:
    board = Board()
    disk.number = errno.EROFS

    Keeper(board, str(tmp_path), State()).write()

    assert PROBLEM in board.facts.problems
