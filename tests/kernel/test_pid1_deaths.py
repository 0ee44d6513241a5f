"""What PID 1 leaves of a service that dies."""

import os
import signal
import sys
from pathlib import Path

import pytest

from init import crashlog
from init.contract import crash
from init.contract.control import Verb
from init.contract.crash import Crash
from init.contract.service import Restart, Service
from tests.kernel.machine import SLEEP, Machine, shell
from tests.kernel.test_pid1_survival import re_exec

pytestmark = pytest.mark.kernel


ROOT = Path(__file__).parent.parent.parent
LOGGER = "import sys; sys.path.insert(0, sys.argv[1]); from init import logger; logger.main(*sys.argv[2:])"


def with_logger(machine: Machine) -> None:
    """The real logger, whose console is the machine's."""
    program = (sys.executable, "-I", "-S", "-c", LOGGER)
    machine.write("logger", Service((*program, str(ROOT), str(machine.root), "/no/kmsg", "/console")))
    machine.until_state("logger", "ready")


def reports(machine: Machine, service: str) -> list[Crash]:
    return [found for _, found in crashlog.kept(str(machine.run / "crashes")) if found.service == service]


def deaths(machine: Machine, service: str) -> list[Crash]:
    found = (crash.decode(path.read_bytes()) for path in (machine.run / "deaths").glob(f"{service}.*.json"))
    return sorted(found, key=lambda one: one.number)


def test_a_killed_service_leaves_its_cause_and_a_mark_behind_its_last_line(booted: Machine) -> None:
    booted.write("one", shell("echo last words; exec sleep 1000"))
    booted.until_state("one", "ready")
    written = booted.until(lambda: booted.log("one"), "its line")
    os.kill(booted.members("one")[0], signal.SIGKILL)
    status = booted.until_state("one", "ready", starts=2, deaths=1)
    (found,) = booted.until(lambda: deaths(booted, "one"), "the file")
    written += booted.log("one")

    assert found.cause == "killed by signal 9 (SIGKILL)"
    assert (found.number, found.console) == (1, crash.FIRST)
    assert found.up > 0
    assert status["last_death"] == status["last_exit"]
    assert written == b"last words\nhepto: died (1): killed by signal 9 (SIGKILL)\nlast words\n"


def test_an_end_that_was_asked_for_leaves_nothing(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.write("two", Service(SLEEP))
    booted.until_state("one", "ready")
    booted.until_state("two", "ready")
    booted.remove("one")
    booted.until(lambda: booted.status("one") == {}, "stopped")
    os.kill(booted.members("two")[0], signal.SIGKILL)  # what comes after it is there
    booted.until(lambda: deaths(booted, "two"), "the other's file")

    assert deaths(booted, "one") == []


def test_a_start_that_fails_is_a_death_with_its_reason(booted: Machine) -> None:
    booted.write("one", Service(("/no/such/program",), restart=Restart(step=0.001, cap=0.001)))
    found = booted.until(lambda: len(deaths(booted, "one")) > 2 and deaths(booted, "one"), "three deaths")

    assert found[-1].cause == "could not be started: /no/such/program: No such file or directory"
    assert [one.console for one in found[:3]] == [crash.FIRST, "", crash.AGAIN]


def test_deaths_and_the_beginning_are_remembered_over_a_re_exec(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready")
    os.kill(booted.members("one")[0], signal.SIGKILL)
    before = booted.until_state("one", "ready", deaths=1)
    re_exec(booted)
    booted.write("mark", Service(SLEEP))
    booted.until_state("mark", "ready")

    after = booted.until_state("one", "ready", deaths=1)
    assert (after["beginning"], after["last_death"]) == (before["beginning"], before["last_death"])
    os.kill(booted.members("one")[0], signal.SIGKILL)
    booted.until_state("one", "ready", deaths=2)
    assert [one.number for one in deaths(booted, "one")] == [1, 2]


def test_the_logger_makes_a_report_with_the_last_lines_and_the_console_hears_of_it(booted: Machine) -> None:
    with_logger(booted)
    booted.write("one", shell("echo last words; exec sleep 1000"))
    booted.until_state("one", "ready")
    pid = booted.members("one")[0]
    booted.until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "it has spoken")
    os.kill(pid, signal.SIGSEGV)
    (found,) = booted.until(lambda: reports(booted, "one"), "the report")

    assert found.cause == "killed by signal 11 (SIGSEGV)"
    assert found.lines == ("last words",)
    booted.until(lambda: "one died: killed by signal 11 (SIGSEGV), it was up" in booted.console(), "the console")
    booted.until(lambda: deaths(booted, "one") == [], "PID 1's file is gone")


def test_the_logger_s_own_death_is_its_successor_s_report(booted: Machine) -> None:
    with_logger(booted)
    os.kill(min(booted.members("logger")), signal.SIGKILL)
    (found,) = booted.until(lambda: reports(booted, "logger"), "the report")

    assert found.cause == "killed by signal 9 (SIGKILL)"


def test_one_that_keeps_dying_is_named_with_its_last_lines_once_and_tried_for_ever(booted: Machine) -> None:
    with_logger(booted)
    booted.write("one", shell("echo no space; exit 1", restart=Restart(step=0.001, cap=0.001)))
    booted.until(lambda: "  one: no space" in booted.console(), "its last line")
    starts = booted.status("one")["starts"]
    booted.until(lambda: booted.status("one")["starts"] > starts + 20, "many more tries")

    lines = [line for line in booted.console().splitlines() if line.lstrip().startswith("one")]
    assert [line.partition(":")[0] for line in lines] == ["one died", "one keeps dying, 3 times now, last", "  one"]
    assert "tried again for ever" in lines[1]


def test_a_shutdown_says_how_the_boot_ends(booted: Machine) -> None:
    booted.ask(Verb.REBOOT)
    booted.process.wait(timeout=15)

    assert (booted.run / "ending").read_text() == "reboot"
