"""The agent is killed, crashes, and is made to raise: PID 1 starts it again, and nobody else notices."""

import signal
from pathlib import Path

import pytest

from tests.kernel.faults.agent_scene import agent_scene, campaign
from tests.kernel.faults.campaign import NOT_REACHED
from tests.kernel.faults.test_calls import called, told

pytestmark = pytest.mark.kernel

CALLED = (
    ("hepto/node/agent.py", "Agent._open", "NodeOrders"),
    ("hepto/node/cluster.py", "Cluster._gossip", "self._board.work.set"),
    ("hepto/net/driver.py", "NetworkDriver.__init__", "Log"),
    ("hepto/edge/route.py", "links", "attribute"),
)
"""Calls that each start of an agent reaches."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_signal_that_ends_the_agent_touches_nobody_else(tmp_path: Path, number: signal.Signals) -> None:
    with agent_scene(tmp_path / "a") as stage:
        stage.end(number)

        assert stage.machine.status("agent")["last_exit"]["value"] == number
        assert stage.deaths() == 1


@pytest.mark.timeout(300)
def test_an_exception_in_the_agent_touches_nobody_else_and_it_is_back(tmp_path: Path) -> None:
    outcomes = list(campaign(tmp_path, [called(*words) for words in CALLED]))

    assert [told(outcome) for outcome in outcomes if outcome.failed or outcome.result == NOT_REACHED] == []
    assert len(outcomes) == len(CALLED)
