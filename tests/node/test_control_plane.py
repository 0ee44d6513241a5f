"""A worker's services wait for the master's apiserver, once."""

import asyncio
from dataclasses import replace

from hepto.kube.health import Probe
from hepto.kube.parameters import KubeParameters
from hepto.kube.plan import plan
from hepto.node.board import Board
from hepto.node.control_plane import MASTER, ControlPlane
from hepto.node.supervisor import Supervisor
from tests.kube.example import FULL
from tests.node.test_probes import Service

WORKER = replace(FULL, master=False)
HELD = {"kubelet", "kube-proxy", "coredns"}


def permitted(board: Board, parameters: KubeParameters) -> set[str]:
    control_plane = ControlPlane(board, Supervisor(), lambda: b"")
    return set(control_plane.permitted(plan(parameters), master=parameters.master).services)


def test_a_master_starts_everything_at_once() -> None:
    assert permitted(Board(), FULL) == set(plan(FULL).services)


def test_a_worker_starts_what_needs_the_apiserver_when_it_has_answered() -> None:
    board = Board()
    assert permitted(board, WORKER) == set(plan(WORKER).services) - HELD

    board.learn(served=True)
    assert permitted(board, WORKER) == set(plan(WORKER).services) >= HELD


def test_files_and_directories_are_made_meanwhile() -> None:
    whole = plan(WORKER)
    found = ControlPlane(Board(), Supervisor(), lambda: b"").permitted(whole, master=False)

    assert (found.files, found.directories, found.absent) == (whole.files, whole.directories, whole.absent)


def test_the_apiserver_is_asked_until_it_serves_and_what_it_says_is_told() -> None:
    async def story() -> None:
        board = Board()
        async with asyncio.timeout(20), Service() as server:
            probe = Probe("kube-apiserver", f"http://[::1]:{server.port}/readyz")
            asking = asyncio.create_task(ControlPlane(board, Supervisor(), lambda: b"").await_master(probe))
            while MASTER not in board.facts.problems:
                await board.changed()
            assert "answers 503" in board.facts.problems[MASTER].what
            assert permitted(board, WORKER).isdisjoint(HELD)

            server.status = 200
            await asking
        assert permitted(board, WORKER) >= HELD
        assert board.work.is_set()
        assert MASTER not in board.facts.problems

    asyncio.run(story())
