import asyncio

from hepto.node.board import Board
from init.contract.status import Reason


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
