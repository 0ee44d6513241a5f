"""Which turns of PID 1's loop end when they have reaped."""

import signal
from math import inf

import pytest

from init.turn import Turn

NOW = 10.0
DEATH = (int(signal.SIGCHLD), 7)


def strangers_died(due: float = NOW + 1) -> Turn:
    turn = Turn()
    turn.woken(1, due)
    turn.signalled([DEATH])
    return turn


@pytest.mark.parametrize("due", [NOW + 1, inf])
def test_a_turn_in_which_only_strangers_have_died_is_idle(due: float) -> None:
    turn = strangers_died(due)

    assert turn.idle(NOW)
    assert turn.died == 7


@pytest.mark.parametrize("due", [NOW, NOW - 1])
def test_a_turn_in_which_something_is_due_is_not(due: float) -> None:
    assert not strangers_died(due).idle(NOW)


def test_a_turn_with_a_death_of_ours_is_not() -> None:
    turn = strangers_died()
    turn.met()

    assert not turn.idle(NOW)


@pytest.mark.parametrize("signals", [[], [(signal.SIGTERM, 7)], [DEATH, (signal.SIGHUP, 8)]])
def test_a_turn_with_another_signal_is_not(signals: list[tuple[int, int]]) -> None:
    turn = Turn()
    turn.woken(1, inf)
    turn.signalled(signals)

    assert not turn.idle(NOW)
    assert turn.died is None


@pytest.mark.parametrize("ready", [0, 2])
def test_a_turn_is_not_when_the_signals_were_not_what_woke_it_or_not_alone(ready: int) -> None:
    turn = Turn()
    turn.woken(ready, inf)
    turn.signalled([DEATH])

    assert not turn.idle(NOW)
    assert turn.died is None


def test_a_turn_that_another_descriptor_woke_is_not() -> None:
    turn = strangers_died()
    turn.woken(1, inf)

    assert not turn.idle(NOW)
