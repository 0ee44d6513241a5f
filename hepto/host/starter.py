"""Starts a keeper and hears what it says; stops a node that runs. What the commands call."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hepto.errors import ExitCode, UserError
from hepto.host import groups, place
from hepto.host.keeper import SCOPED, STOP_SECONDS
from hepto.host.plan import Plan, dump
from hepto.options import ENVIRONMENT_PREFIX

KILL_SECONDS: Final = 30.0
IMAGE_FILE: Final = "root.erofs"


def image(given: Path) -> Path:
    """The root's file: `given`, or in that directory. Raises UserError."""
    found = given / IMAGE_FILE if given.is_dir() else given
    if not found.is_file():
        raise UserError(
            f"{found} is not there: the node's root comes from an image",
            "run `hepto build` here or copy its root.erofs, and name it by --image",
            ExitCode.USAGE,
        )
    return found.absolute()


def free(name: str) -> None:
    """Raises UserError if a node of that name runs here. Sweeps what dead ones have left."""
    for record in place.living(place.RUN):
        if record.name == name:
            what = f"a node {name} runs on this host already (cluster {record.cluster}, pid {record.pid})"
            raise UserError(what, f"hepto stop {name}, or give the new one another --name", ExitCode.REFUSED)


class Keeper:
    """A keeper as its starter sees it."""

    def __init__(self, plan: Plan, environment: Mapping[str, str] = os.environ):
        scoped = groups.SYSTEMD.is_dir() and shutil.which("systemd-run") is not None
        words = [*(groups.scope(plan.name) if scoped else ()), sys.executable, "-P", "-m", "hepto.host.keeper"]
        clean = {name: value for name, value in environment.items() if not name.startswith(ENVIRONMENT_PREFIX)}
        self.process = subprocess.Popen(
            [*words, *([SCOPED] if scoped else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean,
            start_new_session=True,  # the terminal's Ctrl-C is for us; we tell the keeper
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._leash, self._said, self._errors = self.process.stdin, self.process.stdout, self.process.stderr
        with contextlib.suppress(BrokenPipeError):  # it has ended: `events` tells why
            self._leash.write(dump(plan))
            self._leash.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        """What it says, to its end. Raises UserError with its reason, if it gives one, why it could not go on."""
        for line in self._said:
            event: dict[str, Any] = json.loads(line)
            if "failed" in event:
                self.process.wait()
                raise UserError(event["failed"], event["hint"], ExitCode(event["code"]))
            yield event
        self.process.wait()
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        if self.process.returncode:
            why = last[0] if last else f"status {self.process.returncode}"
            raise UserError(f"the node's keeper has ended: {why}", "“hepto start” begins it again")

    def stop(self) -> None:
        """Have the node end in order; `events` goes on until it has."""
        with contextlib.suppress(OSError):
            self._leash.close()

    def leave(self) -> None:
        """Let it go on by itself."""
        for pipe in (self._said, self._errors, self._leash):
            with contextlib.suppress(OSError):
                pipe.close()


def stop(name: str) -> place.Record:
    """End a node in order, and wait for it. Raises UserError if there is none, or it does not end."""
    record = next((found for found in place.living(place.RUN) if found.name == name), None)
    if record is None:
        raise UserError(f"no node {name} runs on this host", "“hepto list” shows those that do", ExitCode.UNREACHABLE)
    where = place.Place(place.RUN / name)
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS + KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.keeper, number)
        if place.ended(where, seconds):
            return record
    raise UserError(f"node {name} does not end (pid {record.pid})", "see dmesg for what it hangs in")


def wait(seconds: float) -> None:
    """A pause between two looks at something that tells nobody of its changes."""
    select.select([], [], [], seconds)
