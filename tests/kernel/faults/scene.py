"""A booted machine with services whose processes must outlive every fault, and the looks whether they have.

steady, asked   daemons that nothing ever touches; asked's readiness is the agent's word
writer          writes numbered lines all the time; the logger moves them to the ring
mortal          what stories kill, change, stop and remove
builtin         has no file
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from init.contract import paths
from init.contract.control import Verb
from init.contract.service import Ready, ReadyKind, Restart, Service
from init.credentials import DMI_TABLE, FW_CFG
from init.modules import MODULES
from tests.fakes.smbios import table
from tests.kernel.faults import logger_program, numbered
from tests.kernel.faults.numbered import Lines
from tests.kernel.machine import SLEEP, Client, Machine, machine

AT_ONCE = Restart(step=0.001, cap=0.001, reset=0.001)
UNTOUCHED = ("steady", "asked", "writer", "builtin")
ALL = (*UNTOUCHED, "mortal", "logger")
PYTHON = (sys.executable, "-I", "-S")
FILES = {
    "proc/cmdline": b"quiet hepto.data-disk=memory hepto.debug=x init.modules=dummy",
    "proc/sys/kernel/panic": b"0",
    DMI_TABLE[1:]: table(b"io.systemd.credential:hepto.key=00", b"io.systemd.credential.binary:x=AA=="),
    f"{FW_CFG}/one/raw"[1:]: b"1",
    "sys/bus/pci/devices/0/modalias": b"pci:v0",
    "sys/class/input/event0/device/capabilities/key": b"10000000000000 0",
    "dev/input/.keep": b"",
    "dev/null": b"",
    "dev/watchdog": b"",
}


def writer(notes: Path, pause: float = 0.02, first: str = "", **more: Any) -> Service:
    """A service that writes numbered lines."""
    return Service((*PYTHON, "-c", numbered.PROGRAM, str(notes), str(pause), first), **more)


class Scene:
    """The machine, and what was true of it at the beginning."""

    def __init__(self, booted: Machine):
        self.machine = booted
        self.root = booted.root
        self.count = 0
        """For what has to be another one each time."""
        self._init_pid = booted.init_pid
        self.lines = Lines(booted.run / "log.d/writer", booted.root / "notes")
        self._members: dict[str, list[int]] = {}
        self.last = Service(SLEEP)

    def furnish(self) -> None:
        """Start the services and remember their processes."""
        self.machine.write("logger", Service((*PYTHON, logger_program.__file__, str(self.root)), restart=AT_ONCE))
        self.machine.write("steady", Service(SLEEP))
        self.machine.write("asked", Service(SLEEP, ready=Ready(ReadyKind.AGENT)))
        self.machine.write("writer", writer(self.root / "notes"))
        self.machine.write("mortal", Service(SLEEP, restart=AT_ONCE))
        self.machine.until_state("asked", "up")
        self.order(Verb.READY, service="asked", ready=True)
        # No story is to meet the ends of their one-shots in place of its own.
        self.until(lambda: set(self.machine.phases().values()) == {"done"}, "all phases")
        self.whole()
        self._members = {name: self.machine.members(name) for name in UNTOUCHED}

    # -- what stories do ----------------------------------------------------------------------------------------------

    def order(self, verb: Verb, **arguments: Any) -> None:
        """Give an order until it is obeyed: a fault may cost an answer, or be in it."""
        answers = []

        def obeyed() -> bool:
            try:
                answers.append(self.machine.ask(verb, **arguments))
            except (OSError, ValueError) as error:  # the connection was dropped
                answers.append({"error": repr(error)})
            return answers[-1].get("ok") is True

        self.machine.until(obeyed, f"{verb.value} obeyed, the last answers were", lambda: answers[-3:])

    def say(self, packet: bytes) -> None:
        """Send something that is refused; what is answered does not matter."""
        with contextlib.suppress(OSError, ValueError), contextlib.closing(self.machine.client()) as client:
            client.send(packet)
            client.receive()

    def client(self) -> Client:
        """A connection, as soon as PID 1 has taken enough of those that wait."""

        def connected() -> Client | None:
            try:
                return self.machine.client()
            except BlockingIOError:
                return None

        found: Client = self.until(connected, "a connection")
        return found

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for it."""
        return self.machine.until(condition, what)

    def one(self, name: str) -> int:
        """The process of a service that has one, once it is the only one."""

        def only() -> int | None:
            members = self.machine.members(name)
            return members[0] if len(members) == 1 and self.machine.status(name).get("state") == "ready" else None

        found: int = self.until(only, f"{name} has one process")
        return found

    def another(self, name: str, before: int) -> None:
        """Wait until a service has another process than this."""
        self.until(lambda: self.machine.members(name) not in ([], [before]), f"another process of {name}")
        self.one(name)

    def gone(self, *names: str) -> None:
        """Remove services that a story has made, and wait until nothing is left of them."""
        for name in names:
            (self.machine.run / "services" / f"{name}.json").unlink(missing_ok=True)
        for name in names:
            self.until(partial(self._is_gone, name), f"{name} forgotten")

    def _is_gone(self, name: str) -> bool:
        return not self.machine.status(name) and not self.machine.members(name)

    # -- what has to hold ---------------------------------------------------------------------------------------------

    def whole(self) -> None:
        """Raise AssertionError unless it holds, soon: PID 1 answers, each service runs once, no line is lost."""
        self.order(Verb.NOTE, text=f"whole {self.count}")
        for name in ALL:
            self.one(name)
        groups = {path.name for path in (self.machine.cgroups / "hepto").iterdir() if path.is_dir()}

        def doubled() -> dict[str, list[int]]:
            return {name: members for name in groups if len(members := self.machine.members(name)) > 1}

        # The logger has a child for the moment in which it writes a report.
        self.machine.until(lambda: not doubled(), "one process each, but", doubled)
        unknown = {name for name in groups - {*ALL, "shims"} if self.machine.members(name)}
        assert not unknown, f"processes of no service: {unknown}"
        assert self.machine.init_pid == self._init_pid, "PID 1 is another process"
        for name, members in self._members.items():
            assert self.machine.members(name) == members, f"{name} was touched"
        self._nothing_lost()

    def _nothing_lost(self) -> None:
        written = self.lines.written()
        self.until(lambda: self.lines.have_come(written), "the writer's lines in the ring")
        assert not self.lines.wrong, f"lines: {self.lines.wrong[:3]}"


def furnished(directory: Path, name: str) -> Path:
    """The root of a machine whose phases are the production's, with a kernel and firmware made of files."""
    place = directory / name
    for path, content in FILES.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    for path in (f"{MODULES}/{os.uname().release}"[1:], "run", "tmp", paths.DATA[1:]):
        (place / path).mkdir(parents=True, exist_ok=True)
    os.mkfifo(place / "dev/input/event0")
    return place


@contextlib.contextmanager
def scene(root: Path, **fault: Any) -> Iterator[Scene]:  # Any: what JSON can say
    """A furnished machine."""
    with machine(root, **fault) as booted:
        found = Scene(booted)
        found.furnish()
        yield found
