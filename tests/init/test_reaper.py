"""Who is reaped when. With real children: tests/kernel/test_pid1.py."""

import os
from math import inf
from typing import NamedTuple

import pytest

from init.reaper import BATCH, LOOK_AGAIN, STORM, Reaper

NOW = 10.0
STRANGER = 99


class Found(NamedTuple):
    """What waitid(2) tells."""

    si_pid: int
    si_status: int
    si_code: int = os.CLD_EXITED


class Kernel:
    """Some children are dead, one lives."""

    def __init__(self, *dead: int):
        self.dead = list(dead)
        self.refuses = False

    def waitid(self, kind: int, number: int, _options: int) -> Found | None:
        if kind == os.P_PID and number == STRANGER:
            raise ChildProcessError
        found = [one for one in self.dead if kind == os.P_ALL or 100 + one == number]
        return Found(100 + found[0], found[0]) if found else None

    def waitpid(self, pid: int, _options: int) -> None:
        if self.refuses:
            raise OSError
        self.dead.remove(pid - 100)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel(1, 2, 3)
    monkeypatch.setattr(os, "waitid", kernel.waitid)
    monkeypatch.setattr(os, "waitpid", kernel.waitpid)
    return kernel


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def reaper(kernel: Kernel, told: list[int]) -> Reaper:
    """One that has begun, when nobody was dead."""
    dead, kernel.dead = kernel.dead, []
    reaper = Reaper(lambda pid, kind, value: told.append(value))
    reaper.reap(NOW)
    kernel.dead = dead
    return reaper


@pytest.mark.usefixtures("kernel")
def test_it_begins_by_taking_all_that_died_before_an_exec(told: list[int]) -> None:
    reaper = Reaper(lambda pid, kind, value: told.append(value))
    assert reaper.more

    reaper.reap(NOW, died=102)
    assert told == [1, 2, 3]
    assert not reaper.more


def test_all_that_are_dead_are_taken(reaper: Reaper, told: list[int]) -> None:
    reaper.reap(NOW)

    assert told == [1, 2, 3]
    assert reaper.look_at == inf
    assert not reaper.more


def test_after_a_signal_one_is_taken_and_the_others_a_moment_later(reaper: Reaper, told: list[int]) -> None:
    reaper.reap(NOW, died=102)
    assert told == [2]
    assert reaper.look_at == NOW + LOOK_AGAIN
    assert not reaper.more

    reaper.reap(NOW + LOOK_AGAIN, died=101)
    assert told == [2, 1, 3]
    assert reaper.look_at == inf


def test_signals_that_keep_coming_do_not_put_off_the_look(reaper: Reaper, told: list[int]) -> None:
    reaper.reap(NOW, died=102)
    reaper.reap(NOW + LOOK_AGAIN / 2, died=101)

    assert told == [2, 1]
    assert reaper.look_at == NOW + LOOK_AGAIN


def test_what_woke_the_loop_beside_a_signal_has_all_taken(reaper: Reaper, told: list[int]) -> None:
    reaper.reap(NOW, died=102)
    reaper.reap(NOW, died=None)

    assert told == [2, 1, 3]
    assert reaper.look_at == inf


def test_when_a_signal_was_taken_elsewhere_all_are_taken(reaper: Reaper, told: list[int]) -> None:
    reaper.again()
    reaper.reap(NOW, died=102)

    assert told == [1, 2, 3]


@pytest.mark.parametrize("pid", [104, STRANGER])
def test_a_signal_of_one_that_has_not_died_hides_no_death(reaper: Reaper, told: list[int], pid: int) -> None:
    """A child was stopped, or somebody has sent the signal."""
    reaper.reap(NOW, died=pid)
    assert told == []
    assert reaper.look_at == NOW + LOOK_AGAIN

    reaper.reap(NOW + LOOK_AGAIN)
    assert told == [1, 2, 3]


def test_more_than_a_batch_goes_on_without_a_signal(reaper: Reaper, kernel: Kernel, told: list[int]) -> None:
    kernel.dead = list(range(BATCH + 1))
    reaper.reap(NOW)
    assert len(told) == BATCH
    assert reaper.more

    reaper.reap(NOW, died=102)
    assert len(told) == BATCH + 1
    assert not reaper.more


def test_in_a_storm_no_signal_need_be_read_until_the_next_look(reaper: Reaper, kernel: Kernel, told: list[int]) -> None:
    kernel.dead = list(range(3 * STORM))
    for number in range(STORM - 1):
        reaper.reap(NOW, died=100 + number)
        assert reaper.quiet_until <= NOW
    reaper.reap(NOW, died=100 + STORM - 1)
    assert reaper.quiet_until == reaper.look_at == NOW + LOOK_AGAIN

    reaper.reap(NOW + LOOK_AGAIN, died=100 + STORM)
    assert len(told) == 3 * STORM
    assert reaper.quiet_until == NOW + 2 * LOOK_AGAIN, "it is not over yet"

    reaper.reap(NOW + 2 * LOOK_AGAIN)
    assert reaper.quiet_until <= NOW
    assert reaper.look_at == inf


def test_what_the_kernel_refuses_is_tried_again(reaper: Reaper, kernel: Kernel, told: list[int]) -> None:
    kernel.refuses = True
    with pytest.raises(OSError):
        reaper.reap(NOW, died=102)
    assert reaper.more

    kernel.refuses = False
    reaper.reap(NOW, died=102)
    assert told == [2, 1, 2, 3]  # at least once
    assert not reaper.more
