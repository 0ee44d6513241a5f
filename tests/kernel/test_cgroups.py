"""Control groups on a private subtree of cgroup v2 (without controllers: those are the VM tier's)."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from init import cgroups, spawn
from init.contract.service import Limits
from tests.kernel.machine import cgroup2, remove

pytestmark = pytest.mark.kernel


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[cgroups.Cgroups]:
    root = cgroup2() / f"hepto-groups-{os.getpid()}-{tmp_path.name[-20:]}"
    (root / "hepto").mkdir(parents=True)
    yield cgroups.Cgroups(str(root))
    (root / "cgroup.kill").write_text("1")
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    remove(root)


def start(groups: cgroups.Cgroups, name: str, script: str) -> int:
    group = groups.make(name, Limits())
    launched = spawn.launch(spawn.Launch(("/bin/sh", "-c", script), {"PATH": spawn.PATH}, cgroup=group))
    while os.read(launched.errors, 1) != b"":  # the pipe closes at exec
        pass
    os.close(launched.errors)
    return launched.pid


@pytest.fixture(autouse=True)
def _blocking_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`start` may wait: let the pipe of a start block."""
    monkeypatch.setattr(os, "pipe2", lambda _flags: os.pipe())


def test_a_child_is_in_its_group_from_the_start(groups: cgroups.Cgroups) -> None:
    pid = start(groups, "one", "sleep 1000 & wait")
    group = groups.service("one")

    assert cgroups.populated(group)
    assert pid in cgroups.members(group)
    main = cgroups.main_process(group, os.getpid(), None)
    assert main is not None
    assert main.pid == pid
    assert cgroups.main_process(group, os.getpid(), main.started) == main
    assert cgroups.main_process(group, 1, None) is None


def test_kill_ends_everything_below_and_populated_says_so(groups: cgroups.Cgroups) -> None:
    pid = start(groups, "one", "sleep 1000 & sleep 1000 & wait")
    cgroups.kill(groups.service("one"))
    os.waitpid(pid, 0)

    while cgroups.populated(groups.service("one")):
        pass
    groups.remove("one")
    assert not os.path.exists(groups.service("one"))


def test_a_group_that_was_killed_can_be_started_into_again(groups: cgroups.Cgroups) -> None:
    """Linux kills what is forked into a group that has seen cgroup.kill, so it has to be another one."""
    for _ in range(2):
        pid = start(groups, "one", "exec sleep 1000")
        assert pid in cgroups.members(groups.service("one"))
        groups.kill("one")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_a_signal_reaches_all_of_a_group(groups: cgroups.Cgroups) -> None:
    pid = start(groups, "one", "exec sleep 1000")

    assert cgroups.send(groups.service("one"), signal.SIGTERM) == 1
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    assert cgroups.send(groups.service("one"), signal.SIGTERM) == 0


def score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_shims_get_their_score_and_what_they_have_started_keeps_its_own(
    groups: cgroups.Cgroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A score above ours, for less needs CAP_SYS_RESOURCE, which a build container lacks."""
    monkeypatch.setattr(cgroups, "SHIM_SCORE", 500)
    shim = start(groups, os.path.basename(groups.shims), "sleep 1000 & wait")
    while len(members := cgroups.members(groups.shims)) < 2:
        pass
    (container,) = set(members) - {shim}
    before = score(container)
    for _ in range(2):
        groups.spare_shims()
        assert (score(shim), score(container)) == (500, before)


def test_a_score_that_may_not_be_set_is_left(groups: cgroups.Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "SHIM_SCORE", 2000)
    shim = start(groups, os.path.basename(groups.shims), "exec sleep 1000")
    before = score(shim)
    groups.spare_shims()

    assert score(shim) == before


def test_without_shims_there_is_nothing_to_spare() -> None:
    cgroups.Cgroups("/no/such/group").spare_shims()


def test_limits_that_this_kernel_does_not_know_are_left_out(groups: cgroups.Cgroups) -> None:
    groups.make("one", Limits(memory_max=1 << 30, pids_max=100))

    assert groups.services() == ["one"]
    groups.remove("one")
    groups.remove("one")


def test_a_group_that_is_not_there_is_empty() -> None:
    assert cgroups.members("/no/such/group") == []
    assert not cgroups.populated("/no/such/group")
    assert cgroups.send("/no/such/group", signal.SIGTERM) == 0
    cgroups.kill("/no/such/group")
    assert not cgroups.Cgroups("/no/such/group").available


def test_a_stranger_in_the_group_is_no_main_process(groups: cgroups.Cgroups) -> None:
    """Only a leader of its own session that is our child was started by the spawner."""
    group = groups.make("one", Limits())
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        cgroups.write(f"{group}/cgroup.procs", str(stranger.pid))
        assert stranger.pid in cgroups.members(group)
        assert cgroups.main_process(group, os.getpid(), None) is None
        stranger.kill()
