"""When the apiserver of a master is shown to other nodes."""

import asyncio

import pytest

from hepto.firewall.driver import Firewall
from hepto.kube.apiserver import NAME as API_SERVER
from hepto.node import gate
from hepto.node.board import Board
from hepto.node.gate import Gate
from init.contract.status import ServiceStatus, State


def status(state: State, starts: int = 1) -> ServiceStatus:
    return ServiceStatus(state, 0.0, None if state in (State.WAITING, State.BACKOFF) else 7, starts)


def test_it_is_closed_from_each_start_until_it_serves_and_not_when_it_is_busy_later() -> None:
    found = Gate()
    course = [
        (None, False),
        (status(State.WAITING, 0), False),
        (status(State.STARTING), True),
        (status(State.UP), True),
        (status(State.READY), False),
        (status(State.UP), False),
        (status(State.BACKOFF), False),
        (status(State.UP, 2), True),
        (status(State.READY, 2), False),
    ]

    assert [found.closed(server) for server, _ in course] == [closed for _, closed in course]


class Refusing(Firewall):
    """The first order fails."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[bool] = asyncio.Queue()
        self._refusals = 1

    async def close_api_server(self, closed: bool) -> None:
        self.asked.put_nowait(closed)
        if self._refusals:
            self._refusals -= 1
            raise OSError


def test_a_refusal_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[bool]:
        board, firewall = Board(), Refusing()
        board.learn(services={API_SERVER: status(State.UP)})
        task = asyncio.create_task(gate.watch(board, firewall))
        found = [await firewall.asked.get() for _ in range(2)]
        board.learn(services={API_SERVER: status(State.READY)})
        found.append(await firewall.asked.get())
        task.cancel()
        return found

    monkeypatch.setattr(gate, "AGAIN", 0.0)

    assert asyncio.run(asyncio.wait_for(run(), 30)) == [True, True, False]
