"""One-shots: real processes, no loop."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from init.boot import OUTPUT_LIMIT, Finished, Run
from init.jobs import Jobs

pytestmark = pytest.mark.kernel


class Story:
    """Runs one-shots to their end, as the loop does."""

    def __init__(self) -> None:
        self.log_reader, self.log = os.pipe()
        self.jobs = Jobs(lambda: self.log)
        self.results: list[Finished] = []

    def run(self, run: Run, now: float = 0.0) -> Finished:
        """Start it and wait for it, taking its output meanwhile."""
        self.jobs.start(run, self.results.append, 0.0)
        self.jobs.tick(now)
        while not self.jobs.idle:
            self.jobs.collect()
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                assert self.jobs.ended(pid, code if code >= 0 else 128 - code)
        (result,) = self.results
        return result


@pytest.fixture
def story() -> Iterator[Story]:
    found = Story()
    yield found
    os.close(found.log_reader)
    os.close(found.log)


def test_the_exit_code_and_captured_output_are_told(story: Story) -> None:
    result = story.run(Run(("/bin/sh", "-c", "echo out; echo err >&2; exit 3"), capture=True))

    assert result == Finished(3, b"out\nerr\n")


def test_output_that_is_not_captured_goes_to_the_log(story: Story) -> None:
    assert story.run(Run(("/bin/sh", "-c", "echo hello"))) == Finished(0)
    assert os.read(story.log_reader, 100) == b"hello\n"


def test_output_is_cut_and_a_loud_one_shot_does_not_hang(story: Story) -> None:
    result = story.run(Run(("/bin/sh", "-c", "head -c 1000000 /dev/zero"), capture=True))

    assert result.code == 0
    assert len(result.output) == OUTPUT_LIMIT


def test_a_program_that_is_not_there_is_127_with_its_reason(story: Story) -> None:
    result = story.run(Run(("/no/such/program",)))

    assert (result.code, result.output) == (127, b"/no/such/program: No such file or directory")


def test_a_one_shot_over_its_time_is_killed_with_all_it_started(story: Story) -> None:
    began = time.monotonic()
    result = story.run(Run(("/bin/sh", "-c", "sleep 1000 & wait"), timeout=5.0, capture=True), now=5.0)

    assert (result.code, result.timed_out) == (128 + signal.SIGKILL, True)
    assert time.monotonic() - began < 5.0


def test_what_stays_behind_in_the_background_does_not_hold_up_the_end(story: Story) -> None:
    began = time.monotonic()
    result = story.run(Run(("/bin/sh", "-c", "echo $$; sleep 3 & echo done"), capture=True))

    assert result.output.endswith(b"done\n")
    assert time.monotonic() - began < 2.5


def test_a_function_runs_in_a_child_and_its_exception_is_told(story: Story) -> None:
    parent = os.getpid()

    def good() -> None:
        assert os.getpid() != parent
        os.write(1, b"from the child")

    assert story.run(Run(call=good, capture=True)) == Finished(0, b"from the child")
    story.results.clear()

    def bad() -> None:
        raise ValueError("no such place")

    assert story.run(Run(call=bad, capture=True)) == Finished(1, b"ValueError: no such place\n")
