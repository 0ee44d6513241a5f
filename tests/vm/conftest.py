"""One booted node for all tests that do not need their own: a boot takes most of a minute without KVM.

Tests of one session share it in the order of their files, and leave it as they found it: Ready.
"""

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.lab import state
from tests.vm import harness


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
        yield node
