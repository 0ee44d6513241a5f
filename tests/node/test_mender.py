import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hepto.node import mender, storage
from hepto.node.board import Board
from hepto.node.keeper import PROBLEM
from hepto.node.mender import Device, Mender
from hepto.node.supervisor import RefusedError, Supervisor
from init.contract.control import Request, Verb
from init.contract.status import Reason


class FakeDevice(Device):
    def __init__(self, *, failed: bool = True, answering: bool = True) -> None:
        self.failed, self.answering = failed, answering
        self.looks = 0

    def has_failed(self) -> bool:
        self.looks += 1
        return self.failed

    def answers(self) -> bool:
        return self.answering


class Pid1(Supervisor):
    def __init__(self) -> None:
        self.asked: list[Verb] = []
        self.refuses = False

    async def ask(self, request: Request) -> dict[str, Any]:
        self.asked.append(request.verb)
        if self.refuses:
            raise RefusedError(request.verb, "shutting down already")
        return {"ok": True}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mender, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(storage, "STEADY_SECONDS", 0.0)


def life(board: Board, device: FakeDevice, pid1: Pid1, until: Callable[[], bool]) -> list[Verb]:
    async def story() -> None:
        task = asyncio.create_task(Mender(board, device, pid1).run())
        async with asyncio.timeout(10):
            while not until():  # noqa: ASYNC110 - a device announces nothing
                await asyncio.sleep(0)
        task.cancel()

    asyncio.run(story())
    return pid1.asked


def bad(monkeypatch: pytest.MonkeyPatch, since: float, now: float) -> Board:
    """A board that says at `now` that the disk has been bad since then."""
    board = Board()
    monkeypatch.setattr("hepto.node.board.now", lambda: since)
    board.problem(PROBLEM, Reason.DATA_DISK, "", "the data disk is read-only")
    monkeypatch.setattr("hepto.node.board.now", lambda: now)
    return board


def test_a_disk_that_answers_again_is_booted_from(monkeypatch: pytest.MonkeyPatch) -> None:
    pid1 = Pid1()
    board = bad(monkeypatch, 400.0, 500.0)

    assert life(board, FakeDevice(), pid1, lambda: Verb.REBOOT in pid1.asked)[:2] == [Verb.NOTE, Verb.REBOOT]


def test_a_refused_reboot_is_ordered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pid1 = Pid1()
    pid1.refuses = True

    life(bad(monkeypatch, 400.0, 500.0), FakeDevice(), pid1, lambda: pid1.asked.count(Verb.REBOOT) > 2)


@pytest.mark.parametrize(
    ("since", "device"),
    [
        (400.0, FakeDevice(answering=False)),
        (400.0, FakeDevice(failed=False)),
        (200.0, FakeDevice()),
    ],
    ids=["silent", "full or mounted so", "bad soon after the boot"],
)
def test_nothing_else_is_a_reason_to_reboot(monkeypatch: pytest.MonkeyPatch, since: float, device: FakeDevice) -> None:
    assert life(bad(monkeypatch, since, 500.0), device, Pid1(), lambda: device.looks > 3) == []


def test_a_disk_without_trouble_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    device, turns = FakeDevice(), iter(range(100))

    assert life(Board(), device, Pid1(), lambda: next(turns) > 50) == []
    assert device.looks == 0
