"""What PID 1 reads again after an exec of itself may be damaged by then: nothing that runs is touched for it."""

import os
import signal
from pathlib import Path

import pytest

from init.contract.control import Verb
from init.contract.service import Ready, ReadyKind, Service, Stop
from init.handover import DISTRUST
from tests.kernel.machine import SLEEP, Machine, shell

pytestmark = pytest.mark.kernel

GARBAGE = {
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "wrong types": '{"generation": "x", "descriptors": [], "services": [], "action": 7}',
    "wrong descriptors": '{"generation": 0, "descriptors": {"control": 0, "fifo/one": 99, "notify": 5}}',
    "wrong fields": '{"generation": 0, "services": {"one": {"starts": "x"}, "asked": 7}}',
    "an action that is none": '{"generation": 0, "action": "explode"}',
}


def test_a_bad_file_and_a_re_exec_leave_the_service_running_by_its_last_good_specification(booted: Machine) -> None:
    booted.write("one", Service(SLEEP, env={"A": "b"}))
    before = booted.until_state("one", "ready")["pid"]
    booted.write("one", b"{")
    booted.until(lambda: booted.status("one").get("error"), "the mistake")
    booted.re_exec()
    after = booted.until_state("one", "ready")
    assert after["pid"] == before
    assert "not JSON" in after["error"]
    os.kill(booted.members("one")[0], signal.SIGKILL)

    again = booted.until_state("one", "ready", starts=2)
    assert "not JSON" in again["error"]


def test_a_bad_file_stops_nothing_even_if_no_generation_is_trusted(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")["pid"]
    booted.write("one", b"{")
    booted.until(lambda: booted.status("one").get("error"), "the mistake")
    booted.re_exec(what="execute", generation=DISTRUST)

    after = booted.until_state("one", "ready", pid=before)
    assert "not JSON" in after["error"]
    os.kill(booted.members("one")[0], signal.SIGKILL)
    booted.until_state("one", "failed")
    booted.write("one", Service(SLEEP))
    booted.until_state("one", "ready", error="")


def test_a_file_that_changes_as_pid_1_executes_itself_is_taken_over(booted: Machine) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")["pid"]
    booted.fault("stage", name="_look", count=10**9)  # so that this PID 1 does not see it
    booted.write("one", Service(SLEEP, restart_key="new"))
    booted.re_exec()

    booted.until(lambda: booted.status("one").get("pid") not in (None, before), "another process")
    booted.until_state("one", "ready", starts=2)


def test_a_stray_is_stopped_by_the_specification_that_it_ran_by(booted: Machine) -> None:
    script = (
        f"trap 'echo stopped > {booted.root}/stopped; exit' USR1; trap '' TERM; echo up; while :; do sleep 0.01; done"
    )
    booted.write("one", shell(script, stop=Stop("SIGUSR1")))
    booted.until(lambda: booted.log("one"), "its traps are set")
    booted.fault("stage", name="_look", count=10**9)
    booted.remove("one")
    booted.re_exec()

    booted.until(lambda: booted.members("one") == [], "stopped")
    assert (booted.root / "stopped").exists()


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_instead_of_what_the_generation_before_tells_touches_nothing(booted: Machine, content: str) -> None:
    booted.write("one", Service(SLEEP))
    booted.write("asked", Service(SLEEP, ready=Ready(ReadyKind.AGENT)))
    booted.until_state("asked", "up")
    booted.ask(Verb.READY, service="asked", ready=True)
    before = {name: booted.until_state(name, "ready")["pid"] for name in ("one", "asked", "builtin")}
    sockets = _sockets(booted)
    booted.fault("garble", content=content)
    booted.re_exec()

    assert _sockets(booted) <= sockets, "a client would wait at one that nobody looks at"
    for name, pid in before.items():
        booted.until_state(name, "ready", pid=pid)
        assert len(booted.members(name)) == 1
    os.kill(booted.members("one")[0], signal.SIGKILL)
    booted.until(lambda: booted.status("one").get("pid") not in (None, before["one"]), "another process")


def _sockets(booted: Machine) -> int:
    directory = Path(f"/proc/{booted.init_pid}/fd")
    return sum(str(path.readlink()).startswith("socket:") for path in directory.iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"phases": 1}', b"[" * 100_000], ids=["empty", "list", "no", "deep"])
def test_garbage_in_the_files_of_status_touches_nothing(booted: Machine, content: bytes) -> None:
    booted.write("one", Service(SLEEP))
    before = booted.until_state("one", "ready")["pid"]
    for path in (booted.run / "boot.json", booted.run / "status/one.json", booted.run / "status/nobody.json"):
        path.write_bytes(content)
    booted.re_exec()

    booted.until(lambda: set(booted.phases().values()) == {"done"}, "all phases, again")
    booted.until_state("one", "ready", pid=before)


def test_no_child_gets_what_came_over_an_exec(booted: Machine) -> None:
    booted.re_exec()
    booted.write("one", shell("ls /proc/$$/fd; echo end; exec sleep 1000"))
    log = b""

    def said() -> bool:
        nonlocal log
        log += booted.log("one")
        return b"end" in log

    booted.until(said, "its descriptors")

    assert log.split() == [b"0", b"1", b"2", b"end"]  # and no pipe of the shell's own
