"""PID 1 never dies: exceptions, the minimal loop, exec of itself with its children."""

import contextlib
import os
import signal

import pytest

from init.contract.control import Verb
from init.contract.service import Ready, ReadyKind, Service
from init.rescue import IN_A_ROW
from tests.kernel.machine import SLEEP, Machine

pytestmark = pytest.mark.kernel

STAGES = ("_check", "_run_boot", "_look", "_supervise", "_run_ending", "_keep_house", "_publish", "_perhaps_re_exec")


def inject(machine: Machine, place: str, count: int) -> None:
    """Make a stage raise so many times."""
    machine.fault("stage", name=place, count=count)
    with contextlib.suppress(ConnectionResetError):  # it may have executed itself instead of answering
        machine.ask(Verb.NOTE, text=f"fault in {place}")  # wakes the loop
    if place != "_execute":
        machine.until(lambda: f"injected into {place}" in machine.console(), "the exception")


@pytest.mark.parametrize("place", STAGES)
def test_an_exception_in_any_stage_changes_nothing_and_the_loop_goes_on(booted: Machine, place: str) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")
    inject(booted, place, 3)
    booted.write("two", Service(SLEEP))
    booted.until_state("two", "ready")

    assert booted.status("one") == before


def test_a_defect_that_stays_starves_nothing_else(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    inject(booted, "_keep_house", 10**9)
    os.kill(booted.members("one")[0], signal.SIGKILL)

    booted.until_state("one", "ready", starts=2)


def test_when_waiting_itself_fails_the_minimal_loop_starts_services_again(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    killed = booted.members("one")[0]
    inject(booted, "_due", 2 * IN_A_ROW)
    booted.until(lambda: "the minimal loop takes over" in booted.console(), "the minimal loop")
    os.kill(killed, signal.SIGKILL)
    booted.until(lambda: booted.members("one") not in ([], [killed]), "another process")
    started = booted.members("one")
    booted.write("two", Service(SLEEP))
    booted.until_state("two", "ready")

    assert booted.members("one") == started
    booted.until_state("one", "ready")


def test_when_the_minimal_loop_does_not_help_pid_1_executes_itself_and_keeps_its_children(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")
    inject(booted, "_due", 10**9)
    booted.until(lambda: "executes itself anew, generation 1" in booted.console(), "the exec")
    booted.write("two", Service(SLEEP))
    booted.until_state("two", "ready")

    assert booted.status("one")["pid"] == before["pid"]
    assert booted.status("one")["starts"] == 1


def test_the_machine_can_be_ended_from_the_minimal_loop(booted: Machine) -> None:
    inject(booted, "_due", 10**9)
    booted.until(lambda: "the minimal loop takes over" in booted.console(), "the minimal loop")
    booted.signal(signal.SIGTERM)
    booted.process.wait(timeout=15)

    assert (booted.root / "end").read_text() == "poweroff"


def re_exec(machine: Machine) -> None:
    before = machine.console().count("executes itself anew")
    machine.until(lambda: machine.ask(Verb.RE_EXEC) == {"ok": True}, "not refused")
    machine.until(lambda: machine.console().count("executes itself anew") > before, "the exec")


def test_a_re_exec_keeps_children_logs_readiness_and_the_operator_s_stop(booted: Machine) -> None:
    booted.write("one", Service(("/bin/sh", "-c", "while :; do echo line; sleep 0.02; done")))
    booted.write("asked", Service(SLEEP, ready=Ready(ReadyKind.AGENT)))
    booted.write("held", Service(SLEEP))
    booted.until_state("held", "ready")
    booted.until_state("asked", "up")
    booted.ask(Verb.READY, service="asked", ready=True)
    booted.ask(Verb.STOP, service="held")
    booted.until_state("held", "down")
    before = {name: booted.until_state(name, "ready") for name in ("one", "asked", "builtin")}
    descriptors = len(os.listdir(f"/proc/{booted.init_pid}/fd"))
    for _ in range(3):
        re_exec(booted)
    booted.write("mark", Service(SLEEP))
    booted.until_state("mark", "ready")

    for name, status in before.items():
        now = booted.until_state(name, "ready", pid=status["pid"])
        assert now["starts"] == status["starts"]
    assert booted.status("held")["state"] == "down"
    assert set(booted.phases().values()) == {"done"}
    assert b"line\n" in booted.log("one")
    assert len(os.listdir(f"/proc/{booted.init_pid}/fd")) <= descriptors + 1  # mark's FIFO
    os.kill(booted.members("one")[0], signal.SIGKILL)
    booted.until_state("one", "ready", starts=2)


def test_a_child_that_dies_during_the_exec_is_started_again(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    process = booted.members("one")[0]
    booted.until(lambda: booted.ask(Verb.RE_EXEC) == {"ok": True}, "not refused")
    os.kill(process, signal.SIGKILL)

    booted.until(lambda: booted.members("one") not in ([], [process]), "another process")
    booted.until_state("one", "ready")
    assert len(booted.members("one")) == 1


def test_a_service_whose_start_was_under_way_at_the_exec_becomes_ready(booted: Machine) -> None:
    booted.fault("start")
    booted.write("one", Service(SLEEP))
    booted.until(lambda: "executes itself anew" in booted.console(), "the exec")

    assert booted.until_state("one", "ready")["starts"] == 1


def test_a_service_whose_file_went_away_during_the_exec_is_stopped(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    inject(booted, "_look", 10**9)  # so that PID 1 does not see it before
    booted.remove("one")
    re_exec(booted)
    booted.until(lambda: booted.members("one") == [], "stopped")

    booted.until(lambda: booted.status("one") == {}, "forgotten")


def test_an_exec_that_cannot_be_done_changes_nothing(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")
    inject(booted, "_execute", 10**9)
    booted.ask(Verb.RE_EXEC)
    booted.write("two", Service(SLEEP))
    booted.until_state("two", "ready")

    assert booted.status("one") == before
