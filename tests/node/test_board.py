import asyncio
import errno

import pytest

from hepto.errors import UserError
from hepto.node.board import TRIED_AGAIN, Board
from init.contract import paths
from init.contract.status import Reason, State
from tests.node.facts import service


def test_a_problem_keeps_its_time_while_it_is_the_same() -> None:
    board = Board()
    board.problem("mesh", Reason.INTERFACE, "wg0", "no WireGuard")
    first = board.facts.problems["mesh"]
    board.problem("mesh", Reason.INTERFACE, "wg0", "no WireGuard")
    same = board.facts.problems["mesh"]
    board.problem("mesh", Reason.INTERFACE, "wg0", "another reason")

    assert same is first
    assert board.facts.problems["mesh"].what == "another reason"
    board.solved("mesh")
    board.solved("mesh")
    assert board.facts.problems == {}


def test_what_the_disk_has_refused_is_said_in_its_words_and_looked_at() -> None:
    board = Board()
    board.failed("plan", OSError(errno.EROFS, "Read-only file system", f"{paths.DATA}/demo/x"), Reason.PHASE, "agent")

    problem = board.facts.problems["plan"]
    assert (problem.reason, problem.subject) == (Reason.DATA_DISK, "")
    assert "read-only" in problem.what
    assert board.disk.is_set()


@pytest.mark.parametrize(
    ("error", "what", "hint"),
    [
        (OSError(errno.EACCES, "Permission denied", "/run/x"), "[Errno 13] Permission denied: '/run/x'", TRIED_AGAIN),
        (UserError("the key is damaged", "restore it"), "the key is damaged", "restore it"),
    ],
)
def test_what_else_has_failed_is_said_as_it_is(error: UserError | OSError, what: str, hint: str) -> None:
    board = Board()
    board.failed("plan", error, Reason.PHASE, "agent")

    problem = board.facts.problems["plan"]
    assert (problem.reason, problem.subject, problem.what, problem.hint) == (Reason.PHASE, "agent", what, hint)
    assert not board.disk.is_set()


def test_only_a_change_is_news() -> None:
    board = Board()
    board.learn(node="one")
    assert board.news.is_set()
    board.news.clear()
    board.learn(node="one")

    assert not board.news.is_set()


def test_everybody_who_waits_hears_of_a_change() -> None:
    async def story() -> None:
        board = Board()
        waiting = [asyncio.create_task(board.changed()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting.pop().cancel()
        board.learn(node="one")
        await asyncio.gather(*waiting)

    asyncio.run(story())


def test_a_service_is_planned_since_its_file_was_first_written() -> None:
    board = Board()
    board.planned(["etcd"])
    first = dict(board.facts.planned or {})
    board.planned(["etcd", "kubelet"])

    assert board.facts.planned is not None
    assert board.facts.planned["etcd"] == first["etcd"]
    assert set(board.facts.planned) == {"etcd", "kubelet"}


@pytest.mark.parametrize("before", [None, {}, {"kubelet": service(State.UP)}])
def test_a_service_is_waited_for_until_pid_1_says_that_it_is_ready(before: dict[str, object] | None) -> None:
    async def story() -> None:
        board = Board()
        board.learn(services=before)
        waiting = asyncio.ensure_future(board.service_ready("kubelet"))
        await asyncio.sleep(0)
        assert not waiting.done()
        board.learn(services={"kubelet": service(State.READY)})
        async with asyncio.timeout(10):
            await waiting

    asyncio.run(story())
