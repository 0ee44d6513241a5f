"""Boots one virtual machine in a lab of its own and waits for lines on its console.

Promises: whatever happens the lab ends with the block; every wait has a limit. The lab is hepto's (a bridge, a router
that advertises, no IPv4), so what is measured sees the network that the tests see. Must not know what is measured.
"""

import contextlib
import os
import re
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hepto.edge.cache import cache_directory
from hepto.edge.command import run
from hepto.errors import UserError
from hepto.lab import client, emulator, state
from hepto.lab.boot import check_image
from hepto.lab.spec import Emulator, Lab, Node
from init.contract import paths
from init.contract.service import Service

DEFAULT_IMAGE = Path("build/image")
LOOK_SECONDS = 0.02
NODE = "one"
CLUSTER = "bench"
DISK_MEBIBYTES = 4096


@dataclass(frozen=True)
class Machine:
    """What is booted. `icount` is QEMU's value of -icount: then guest time is instructions, on one processor."""

    image: Path
    options: tuple[str, ...] = ()
    credentials: tuple[tuple[str, str], ...] = ()
    memory: int = 2048
    cpus: int = 2
    disk_from: str = ""
    disk: int = 0
    icount: str = ""
    record: str = ""
    """Where the writes to its disk are logged (hepto.lab.spec.Node)."""


def full_node(image: Path, disk: str, memory: int = 2048) -> Machine:
    """A node with everything on it, as `hepto lab up` makes it. `disk`: the file whose copy is its data disk."""
    options = (f"hepto.cluster={CLUSTER}", f"hepto.name={NODE}", "hepto.role=full", "hepto.debug=lab")
    return Machine(image, options, (("hepto.key", "00" * 32),), memory=memory, disk=DISK_MEBIBYTES, disk_from=disk)


class Guest:
    """A machine that runs."""

    def __init__(self, where: state.Place, started: float):
        self.where = where
        self.started = started
        """Host time (monotonic) just before QEMU was started."""

    def console(self) -> str:
        """All that the serial console has said."""
        return self.where.node(NODE).console.read_text(errors="replace")

    def wait(self, pattern: str, limit: float, after: int = 0) -> tuple[re.Match[str], float]:
        """The first match of a line on the console, and the host's seconds since power-on. Raises UserError.

        `after`: characters at the console's beginning that do not count.
        """
        deadline = time.monotonic() + limit
        expression = re.compile(pattern, re.MULTILINE)
        while True:
            found = expression.search(self.console(), after)
            if found:
                return found, time.monotonic() - self.started
            if time.monotonic() > deadline:
                tail = "\n".join(self.console().splitlines()[-15:])
                raise UserError(
                    f"no line {pattern!r} on the console after {limit:.0f} s", f"the console's end was:\n{tail}"
                )
            select.select([], [], [], LOOK_SECONDS)

    def python(self, script: str, timeout: float = 120.0) -> str:
        """What a Python script printed on the node. Raises UserError."""
        with self.client() as connection:
            done = connection.run(NODE, "/usr/bin/python3", "-I", "-c", script, timeout=timeout)
        if done.status:
            raise UserError(f"a script on the node ended with {done.status}", done.stderr.decode(errors="replace"))
        return done.text

    def client(self) -> client.LabClient:
        """The lab's channel; only nodes of hepto with hepto.debug=lab serve it."""
        return client.LabClient(self.where)


def give(connection: client.LabClient, node: str, name: str, service: Service) -> None:
    """A service file for the node's PID 1, by rename as the agent writes them. Raises UserError."""
    path = paths.service_file(name)
    script = f"cat > {paths.SERVICES}/.{name}.tmp && mv {paths.SERVICES}/.{name}.tmp {path}"
    done = connection.run(node, "/bin/sh", "-c", script, stdin=service.dump())
    if done.status:
        raise UserError(f"{path} cannot be written on {node}", done.stderr.decode(errors="replace"))


def find_emulator(image: Path) -> Emulator:
    """The lab's QEMU with the accelerator that works here."""
    cache = cache_directory()
    return emulator.accelerate(emulator.find(cache), image / "vmlinuz", cache)


@contextlib.contextmanager
def boot(name: str, machine: Machine, found: Emulator) -> Iterator[Guest]:
    """A lab of its own with the machine in it, until the block ends."""
    if machine.icount:
        # The icount clock forces one thread for the processor, and there is no icount outside of TCG.
        found = replace(found, argv=(*found.argv, "-icount", machine.icount), accelerator="tcg")
    node = Node(
        NODE,
        machine.options,
        machine.credentials,
        machine.memory,
        machine.cpus,
        machine.disk,
        machine.disk_from,
        record=machine.record,
    )
    # Two measurements at once disturb each other, but must not end each other.
    lab = Lab(f"bench-{name}-{os.getpid()}", str(check_image(machine.image)), found, (node,), cluster=CLUSTER)
    where = state.place(lab.name)
    started = time.monotonic()
    leash = client.make(lab, where)
    try:
        yield Guest(where, started)
    finally:
        leash.break_off()


def data_disk(path: Path, mebibytes: int = 512, content: Path | None = None) -> str:
    """A file with the file system that hepto makes on a blank data disk; its path."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(mebibytes * 1024 * 1024)
    words = ["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-L", "hepto-data", "-m", "1"]
    run([*words, *(("-d", str(content)) if content else ()), path])
    return str(path)
