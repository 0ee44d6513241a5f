"""Deaths of all kinds, with real processes: PID 1 is told of many at once, and of those of strangers."""

import os
import signal
from pathlib import Path

import pytest

from init.contract.control import Verb
from init.contract.service import Restart, Service, Stop
from tests.kernel.machine import SLEEP, Machine, shell

pytestmark = pytest.mark.kernel


def test_orphans_are_reaped(booted: Machine) -> None:
    script = "i=0; while [ $i -lt 100 ]; do (true &) ; i=$((i+1)); done; exec sleep 1000"
    booted.write("one", shell(script))
    booted.until(lambda: booted.members("one") and _children(booted.init_pid) == 2, "all orphans gone")


def test_deaths_of_which_one_signal_tells_are_all_seen(booted: Machine) -> None:
    names = ("one", "two", "three")
    for name in names:
        booted.write(name, Service(SLEEP))
    for name in names:
        booted.until_state(name, "ready")
    booted.signal(signal.SIGSTOP)
    for name in names:
        os.kill(booted.members(name)[0], signal.SIGKILL)
    booted.until(lambda: not any(booted.members(name) for name in names), "all are dead")
    booted.signal(signal.SIGCONT)

    for name in names:
        booted.until_state(name, "ready", starts=2)


def test_a_turn_that_only_reaps_holds_nothing_up(booted: Machine) -> None:
    """Orphans end all the time: what comes by time, by a file or by the death of one of ours is done all the same."""
    booted.write("storm", shell("while :; do (true &) ; done"))
    booted.until_state("storm", "ready")
    booted.write("slow", shell("trap '' TERM; while :; do sleep 1000; done", stop=Stop(timeout=0.2)))
    booted.write("dies", shell("sleep 0.3; exit 1", restart=Restart(step=0.1, cap=0.1)))
    booted.write("left", shell("sleep 1001 & exec sleep 1000"))
    booted.until(lambda: booted.status("dies").get("starts", 0) >= 3, "it dies and comes back")
    booted.until_state("slow", "ready")
    booted.remove("slow")
    booted.until(lambda: booted.status("slow") == {}, "killed when its time was over, and forgotten")
    booted.until(lambda: len(booted.members("left")) == 2, "both processes")
    os.kill(min(booted.members("left")), signal.SIGKILL)

    booted.until_state("left", "ready", starts=2)
    assert booted.ask(Verb.NOTE, text="still here") == {"ok": True}


def _children(pid: int) -> int:
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
