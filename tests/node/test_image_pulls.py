import asyncio
from dataclasses import replace
from ipaddress import IPv6Network

from hepto.kube.driver import Asker
from hepto.kube.health import Probe
from hepto.kube.pulls import Trouble
from hepto.node import image_pulls
from hepto.node.board import Board
from init.contract.status import Reason
from tests.node.facts import NETWORK

PROBE = Probe("kubelet", "https://[::1]:6443/api/v1/pods", "ca.crt", "pair.pem")
FIRST = Trouble(Reason.IMAGE, "ghcr.io/a", "ghcr.io has no IPv6 address", "give a mirror")
SECOND = Trouble(Reason.RESOLVER, "docker.io/b", "no resolver answers", "give one")
PREFIX = IPv6Network("64:ff9b::/96")


class Script(Asker):
    """Answers with what the script says next."""

    def __init__(self, *answers: tuple[Trouble, ...] | None):
        super().__init__()
        self.answers = list(answers)
        self.prefixes: list[IPv6Network | None] = []

    async def pulls(self, probe: Probe, nat64: IPv6Network | None) -> tuple[Trouble, ...] | None:
        assert probe == PROBE
        self.prefixes.append(nat64)
        return self.answers.pop(0)


def test_the_first_trouble_is_said_until_an_answer_says_that_there_is_none() -> None:
    board, asker = Board(), Script((FIRST, SECOND), None, (SECOND,), ())

    async def looked() -> str | None:
        await image_pulls.look(board, asker, PROBE)
        found = board.facts.problems.get("pulls")
        return found.subject if found is not None else None

    async def story() -> None:
        assert await looked() == "ghcr.io/a"
        assert board.facts.problems["pulls"].hint == "give a mirror"
        assert await looked() == "ghcr.io/a", "no answer is no other answer"
        board.learn(network=replace(NETWORK, nat64=PREFIX))
        assert await looked() == "docker.io/b"
        assert await looked() is None

    asyncio.run(story())
    assert asker.prefixes == [None, None, PREFIX, PREFIX]
