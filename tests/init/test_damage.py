"""A block of the root that does not match: what is said, and that the machine is halted once."""

import os
import signal

import pytest

from init import damage
from init.boot import Wait, Waiting, Woken, World
from init.contract.status import Reason
from init.ending import SIGNALS
from init.shutdown import Action


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,77", ["block 77"]),
        ("1,3", ["block 3 of the hashes"]),
        ("", []),
        ("nonsense", []),
    ],
)
def test_the_kernel_s_uevent_names_the_block(value: str, expected: list[str]) -> None:
    assert damage.blocks([{"SUBSYSTEM": "block"}, {damage.VARIABLE: value}]) == expected


def test_it_is_said_and_the_machine_halts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    task = damage.task(World(now=lambda: 5.0))

    assert isinstance(next(task), Wait)
    assert isinstance(task.send(Woken(({"SUBSYSTEM": "net"},))), Wait)
    assert sent == []
    step = task.send(Woken(({damage.VARIABLE: "0,77"}, {damage.VARIABLE: "0,78"})))
    assert isinstance(step, Waiting)
    assert step.wait is not None
    assert step.wait.reason is Reason.IMAGE
    assert (
        step.wait.what == "the root file system is damaged: block 77 is not what its root hash names; the machine halts"
    )
    assert [isinstance(task.send(None), Wait) for _ in range(3)] == [True] * 3

    assert sent == [(os.getpid(), signal.SIGUSR1)]
    assert SIGNALS[signal.SIGUSR1] is Action.HALT
