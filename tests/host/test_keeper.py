"""How a node ended is read from its PID 1's status."""

import signal

import pytest

from hepto.host import keeper, starter, unit


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (signal.SIGHUP, "reboot"),
        (signal.SIGINT, "poweroff"),
        (signal.SIGKILL, "killed by SIGKILL"),
        (1 << 8, "exit status 1"),
        (127 << 8, "exit status 127"),
    ],
)
def test_the_ends_of_a_node(status: int, said: str) -> None:
    assert keeper.describe(status) == said


def test_whoever_stops_a_node_waits_longer_than_its_keeper() -> None:
    assert starter.KILL_SECONDS > 0
    assert unit.STOP_SECONDS >= keeper.STOP_SECONDS + starter.KILL_SECONDS
