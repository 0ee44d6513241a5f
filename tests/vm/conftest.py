"""One booted node for all tests that do not need their own: a boot takes most of a minute without KVM.

Tests of one session share it in the order of their files, and leave it as they found it: Ready.
"""

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.lab import state
from tests.vm import harness

QUOTA = "mkdir /sys/fs/cgroup/quota && echo 10000 100000 > /sys/fs/cgroup/quota/cpu.max"
"""With the first quota of processor time the kernel rewrites its scheduler's code as it runs (kernel/sched/fair.c,
cfs_bandwidth_usage_inc). An emulated processor may run half of that ("Oops: int3" in pick_task_fair, seen once when a
pod's limit was the first, in the middle of a test), so it is done while the machine has least to do, and kept."""


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Labs of tests do not meet those of the user, but for the one that HEPTO_TEST_LAB names."""
    if harness.ATTACH:
        yield state.labs_directory()
        return
    home = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        yield home


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A minute without progress is no fault here; each test has its own time limit."""
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def node() -> Iterator[harness.Node]:
    """A full node that was Ready once; HEPTO_TEST_LAB=LAB takes that of a lab that is up, to write tests by."""
    if harness.ATTACH:
        with harness.attached(harness.ATTACH) as node:
            yield node
        return
    with harness.ready("shared") as node:
        node.sh(QUOTA)
        yield node
