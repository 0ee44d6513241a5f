"""One-shots of PID 1's own: mkfs, fsck, modprobe, bind mounts, unmounting. Started and limited in time here.

Promises: never waits for one; a one-shot that runs over its time is killed with its whole process group; its captured
output is cut at 64 KiB. What it leaves running in the background is no concern of its end.
"""

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from init import spawn
from init.boot import OUTPUT_LIMIT, Finished, Run

Done = Callable[[Finished], None]


class _Job(NamedTuple):
    run: Run
    deadline: float
    done: Done
    output: int
    errors: int
    parts: list[bytes]
    token: str


class Jobs:
    """All one-shots under way, by pid. `log` is the descriptor that uncaptured output goes to (-1: nowhere)."""

    def __init__(self, log: Callable[[], int]):
        self._log = log
        self._jobs: dict[int, _Job] = {}
        self._timed_out: set[int] = set()

    def start(self, run: Run, done: Done, now: float, token: str = "") -> None:
        """Start; `done` is called once, later from the loop, or at once with code 127 when it cannot be started."""
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writer, True)  # the one-shot's end: a program may not expect EAGAIN from its output
        errors = -1
        try:
            target = writer if run.capture or self._log() < 0 else self._log()
            if run.call is not None:
                pid = spawn.call(run.call, target)
            else:
                env = {"PATH": spawn.PATH, **run.env}
                pid, errors = spawn.launch(spawn.Launch(run.argv, env, log=target))
        except OSError as error:
            os.close(reader)
            done(Finished(127, str(error).encode()))
            return
        finally:
            os.close(writer)
        self._jobs[pid] = _Job(run, now + run.timeout, done, reader, errors, [], token)

    def reads(self) -> list[int]:
        """Descriptors whose output is to be taken before their pipes are full."""
        return [job.output for job in self._jobs.values()]

    def collect(self) -> None:
        """Take what the one-shots have written."""
        for job in self._jobs.values():
            _collect(job)

    def ended(self, pid: int, code: int) -> bool:
        """A process has ended (with its exit code, or 128 + signal). True if it was one of ours.

        What is raised before `done` is called leaves it as it was: then the end can be told again.
        """
        job = self._jobs.get(pid)
        if job is None:
            return False
        _collect(job)
        output = b"".join(job.parts)
        failed = spawn.exec_error(job.errors) if job.errors >= 0 else None
        if failed is not None:
            code, output = 127, failed[1].encode()
        finished = Finished(code, output, pid in self._timed_out)
        del self._jobs[pid]
        try:
            job.done(finished)
        finally:
            self._timed_out.discard(pid)
            for descriptor in (job.output, job.errors):
                if descriptor >= 0:
                    os.close(descriptor)
        return True

    def tick(self, now: float) -> None:
        """Kill what is over its time; its death comes through the reaper."""
        for pid, job in self._jobs.items():
            if job.deadline <= now and pid not in self._timed_out:
                self._timed_out.add(pid)
                try:
                    os.killpg(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)  # not yet leading its group

    def deadline(self) -> float | None:
        """When `tick` is wanted."""
        return min((job.deadline for pid, job in self._jobs.items() if pid not in self._timed_out), default=None)

    def pids(self) -> list[int]:
        """Of all that run."""
        return list(self._jobs)

    def tokens(self) -> frozenset[str]:
        """What was given at the start of all that run."""
        return frozenset(job.token for job in self._jobs.values())

    @property
    def idle(self) -> bool:
        """True if none runs."""
        return not self._jobs


def _collect(job: _Job) -> None:
    for _ in range(64):
        try:
            data = os.read(job.output, 65536)
        except BlockingIOError:
            return
        if not data:
            return
        room = OUTPUT_LIMIT - sum(map(len, job.parts))
        if room > 0:
            job.parts.append(data[:room])
