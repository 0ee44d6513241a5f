import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from hepto.edge.command import CommandFailedError, run


def test_output_of_both_streams_is_returned_in_order() -> None:
    assert run(["sh", "-c", "echo one; echo two >&2; echo three"]) == "one\ntwo\nthree\n"


def test_a_failure_carries_status_and_last_line() -> None:
    with pytest.raises(CommandFailedError) as caught:
        run(["sh", "-c", "echo first; echo 'the reason'; echo; exit 7"])

    assert caught.value.status == 7
    assert caught.value.last_line() == "the reason"


def test_the_log_keeps_a_copy(tmp_path: Path) -> None:
    run(["echo", "kept"], log=tmp_path / "log")

    assert (tmp_path / "log").read_text() == "kept\n"


def test_a_watcher_hears_the_newest_line(tmp_path: Path) -> None:
    # The command goes on only when it has been heard.
    script = f"echo first; echo newest; until [ -e {tmp_path}/heard ]; do :; done"
    heard = []

    def watch(line: str) -> None:
        heard.append(line)
        (tmp_path / "heard").touch()

    assert run(["sh", "-c", script], watch=watch) == "first\nnewest\n"
    assert heard[0] == "newest"


def test_a_timeout_ends_grandchildren_too(tmp_path: Path) -> None:
    # A shell's background child ignores SIGINT, and its parent is gone before it.
    script = f"sh -c 'echo $$ > {tmp_path}/pid; exec tail -f /dev/null' & wait"

    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", script], timeout=0.2)

    assert _ends(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_child_is_made_ends_it(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when the child is there, and Popen has not returned."""
    pids = []

    class Late(subprocess.Popen[bytes]):
        def _execute_child(self, *arguments: object, **more: object) -> None:
            super()._execute_child(*arguments, **more)  # type: ignore[misc]  # of the class, but not of its stub
            pids.append(self.pid)
            os.kill(os.getpid(), number)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, interrupt)
    monkeypatch.setattr(subprocess, "Popen", Late)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(["tail", "-f", "/dev/null"])
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)

    assert _ends(pids[0])


def _ends(pid: int) -> bool:
    """Whether the process is gone or goes: death by SIGKILL is sure, but not instant."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)
