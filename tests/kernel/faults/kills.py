"""kill -9 of each service, many times at random instants, on a machine with services like a node's.

Each writes numbered lines as long as it lives, and its notes tell what it has written: none may stay down, and no line
may be lost, be it the last before a death or the first after it. The instants come from a seed: so many lines of all
services later, also at once, when the one that is due has just been killed or is being started.
"""

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from init.contract.control import Verb
from init.contract.service import Ready, ReadyKind, Restart, Scope, Service, Stop
from tests.kernel.faults import logger_program
from tests.kernel.faults.numbered import Lines
from tests.kernel.faults.scene import PYTHON, writer
from tests.kernel.machine import Machine, machine

SOON = Restart(step=0.01, cap=0.1, reset=0.5)
PAUSE = 0.05
"""Seconds between two lines of a service."""
MOST_LINES = 40
"""Lines of all services between two kills, at most."""
LOGGER = "logger"
NOTIFY = """
import socket
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.connect(os.environ["NOTIFY_SOCKET"])
sock.send(b"READY=1")
"""
UNIX = """
import socket
server = socket.socket(socket.AF_UNIX)
if os.path.exists({path!r}): os.unlink({path!r})
server.bind({path!r})
server.listen()
"""
FILE = "open({path!r}, 'w').close()"
CHILD = "if os.fork() == 0: os.execv('/bin/sleep', ['sleep', '1000'])"

READINESS: dict[str, tuple[ReadyKind, str, tuple[str, ...]]] = {
    "etcd": (ReadyKind.NOTIFY, NOTIFY, ()),
    "kube-apiserver": (ReadyKind.AGENT, "", ("etcd",)),
    "kube-controller-manager": (ReadyKind.NONE, "", ("kube-apiserver",)),
    "kube-scheduler": (ReadyKind.NONE, CHILD, ("kube-apiserver",)),
    "containerd": (ReadyKind.UNIX, UNIX + CHILD, ()),
    "kubelet": (ReadyKind.NOTIFY, CHILD + NOTIFY, ("containerd", "kube-apiserver")),
    "kube-proxy": (ReadyKind.NONE, "", ("kube-apiserver",)),
    "coredns": (ReadyKind.FILE, FILE, ("kube-apiserver", "containerd")),
    "chrony": (ReadyKind.FILE, FILE, ()),
    "agent": (ReadyKind.NONE, "", ()),
    "one": (ReadyKind.UNIX, UNIX, ("agent",)),
}
"""What each is ready by, the Python that it begins with, and what it is after."""

Found = TypeVar("Found")


class Tally(NamedTuple):
    """What became of one service."""

    service: str
    kills: int
    starts: int
    lines: int
    """Written in all its lives, as far as the notes tell."""
    lost: int
    """Lines that were written and are neither in the ring nor counted."""
    wrong: tuple[str, ...]
    state: str


def services(root: Path) -> dict[str, Service]:
    """The services of the machine, but for the logger."""
    found = {}
    for name, (kind, first, after) in READINESS.items():
        target = str(root / f"{name}.ready") if kind in (ReadyKind.FILE, ReadyKind.UNIX) else ""
        spec = writer(root / f"{name}.notes", PAUSE, first.format(path=target), after=after, restart=SOON)
        scope = Scope.PROCESS if name == "containerd" else Scope.CGROUP
        found[name] = replace(spec, ready=Ready(kind, target), stop=Stop(scope=scope))
    return found


class Killing:
    """A machine of such services, and who is killed next."""

    def __init__(self, booted: Machine, seed: int):
        self.machine, self._dice = booted, random.Random(seed)
        self._log = booted.run / "log.d"
        self.lines = {name: Lines(self._log / name, booted.root / f"{name}.notes") for name in READINESS}
        self.kills = dict.fromkeys((*READINESS, LOGGER), 0)

    def furnish(self) -> None:
        logger = Service((*PYTHON, logger_program.__file__, str(self.machine.root)), restart=SOON)
        for name, service in {LOGGER: logger, **services(self.machine.root)}.items():
            self.machine.write(name, service)
        self.until_all_are_ready()

    def until_all_are_ready(self) -> None:
        self._until(lambda: all(self._is_ready(name) for name in self.kills), "all are ready")

    def _until(self, condition: Callable[[], Found], what: str) -> Found:
        """Wait, and meanwhile do the agent's part: say of a service that runs that it is ready."""

        def look() -> Found:
            for name, (kind, _first, _after) in READINESS.items():
                if kind is ReadyKind.AGENT and self.machine.status(name).get("state") == "up":
                    self.machine.ask(Verb.READY, service=name, ready=True)
            return condition()

        found: Found = self.machine.until(look, what)
        return found

    def kill(self, name: str) -> None:
        """The main process of a service, some lines later; at once when there is none but one that is coming."""
        goal = self._written() + self._dice.randrange(MOST_LINES)
        self._until(lambda: self._written() >= goal, "lines")
        process = self._until(lambda: self._main_process(name), f"a process of {name}")
        if process is not None:
            os.kill(process, signal.SIGKILL)
            self.kills[name] += 1
        for lines in self.lines.values():
            lines.look()

    def tallies(self) -> Iterator[Tally]:
        """What became of all, when all that was written has had its time to come."""
        written = {name: lines.written() for name, lines in self.lines.items()}
        with contextlib.suppress(AssertionError):
            self.machine.until(lambda: all(self.lines[name].have_come(written[name]) for name in written), "lines")
        for name in self.kills:
            status = self.machine.status(name)
            lines = self.lines.get(name)
            lost = lines.missing(written[name]) if lines is not None else 0
            total = sum(written[name].values()) if lines is not None else 0
            wrong = tuple(lines.wrong) if lines is not None else ()
            yield Tally(name, self.kills[name], status["starts"], total, lost, wrong, status["state"])

    def _written(self) -> int:
        return sum(sum(lines.written().values()) for lines in self.lines.values())

    def _is_ready(self, name: str) -> bool:
        """And as often started as it was killed: what PID 1 says may be from before the last kill."""
        status = self.machine.status(name)
        return bool(status.get("state") == "ready" and status["pid"] and status["starts"] > self.kills[name])

    def _main_process(self, name: str) -> int | None:
        """As the host sees it: of its group the one whose parent is PID 1 and that leads its session."""
        for pid in self.machine.members(name):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z" and int(fields[1]) == self.machine.init_pid and int(fields[3]) == pid:
                    return pid
        return None


def kill_each(root: Path, times: int, seed: int) -> list[Tally]:
    """Kill each service so often, in an order and at instants by the seed; all are waited for at the end."""
    with machine(root) as booted:
        killing = Killing(booted, seed)
        killing.furnish()
        order = [name for name in killing.kills for _ in range(times)]
        random.Random(seed).shuffle(order)
        for name in order:
            killing.kill(name)
        with contextlib.suppress(AssertionError):  # the tallies tell
            killing.until_all_are_ready()
        return list(killing.tallies())
