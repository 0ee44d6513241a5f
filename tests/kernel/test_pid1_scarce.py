"""What a machine may run out of: descriptors, memory, space in /run. PID 1 lives on, touches nothing that runs, and all
that was asked for meanwhile is done when the want is over."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from init.contract.control import Verb
from init.contract.service import Restart, Service
from tests.kernel.machine import SLEEP, Machine, machine

pytestmark = pytest.mark.kernel


@contextlib.contextmanager
def limited(pid: int, what: int, to: int) -> Iterator[None]:
    """A process with a lower limit, for a while."""
    soft, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (to, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, what, (soft, hard))


def caught(booted: Machine) -> bool:
    """True if PID 1 has named an exception in its log since the last look."""
    return b"; goes on" in booted.log("init")


def three_wishes(booted: Machine) -> None:
    """A death, a file that changes and a new one, in a machine that lacks something."""
    os.kill(booted.members("dying")[0], signal.SIGKILL)
    booted.write("changing", Service(SLEEP, restart_key="new"))
    booted.write("new", Service(SLEEP))
    for _ in range(3):
        booted.until(lambda: caught(booted), "it is noticed")


def come_true(booted: Machine, steady: int) -> None:
    booted.until_state("new", "ready")
    booted.until_state("changing", "ready", starts=2)
    booted.until(lambda: booted.status("dying").get("starts", 0) > 1, "started again")
    booted.until_state("dying", "ready")
    for name in ("new", "changing", "dying", "steady"):
        assert len(booted.members(name)) == 1
    assert booted.status("steady")["pid"] == steady
    assert booted.ask(Verb.NOTE, text="well") == {"ok": True}


@pytest.fixture
def furnished(booted: Machine) -> Machine:
    for name in ("steady", "changing", "dying"):
        booted.write(name, Service(SLEEP, restart=Restart(step=0.01, cap=0.1)))
    for name in ("steady", "changing", "dying", "builtin"):
        booted.until_state(name, "ready")
    booted.until(lambda: set(booted.phases().values()) == {"done"}, "all phases")
    return booted


def test_no_descriptors(furnished: Machine) -> None:
    steady = furnished.status("steady")["pid"]
    with limited(furnished.init_pid, resource.RLIMIT_NOFILE, 5):
        three_wishes(furnished)

    come_true(furnished, steady)


def test_no_memory(furnished: Machine) -> None:
    steady = furnished.status("steady")["pid"]
    pages = int(Path(f"/proc/{furnished.init_pid}/statm").read_text().split()[0])
    with limited(furnished.init_pid, resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") // 2):
        os.kill(furnished.members("dying")[0], signal.SIGKILL)
        furnished.write("changing", Service(SLEEP, restart_key="new"))
        furnished.write("new", Service(SLEEP))
        failing = furnished.until(lambda: furnished.status("dying").get("starts", 0) > 1, "tries")
        assert failing

    come_true(furnished, steady)


def test_a_full_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path / "run"], check=True)
    try:
        with machine(tmp_path) as booted:
            for name in ("steady", "changing", "dying"):
                booted.write(name, Service(SLEEP, restart=Restart(step=0.01, cap=0.1)))
            steady = booted.until_state("steady", "ready")["pid"]
            booted.until_state("dying", "ready")
            booted.until_state("changing", "ready")
            process = booted.members("dying")
            with (tmp_path / "run/ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
                while ballast.write(bytes(4096)):
                    pass
            os.kill(process[0], signal.SIGKILL)
            booted.until(lambda: booted.members("dying") not in ([], process), "started again without a status file")
            booted.until(lambda: caught(booted), "it is noticed")
            (tmp_path / "run/ballast").unlink()
            booted.write("changing", Service(SLEEP, restart_key="new"))
            booted.write("new", Service(SLEEP))

            come_true(booted, steady)
    finally:
        subprocess.run(["umount", tmp_path / "run"], check=True)
