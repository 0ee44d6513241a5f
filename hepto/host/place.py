"""Where nodes are noted on this host: one directory a node below /run, one lock beside it.

A node is alive exactly while its keeper holds the lock. A directory without a held lock is left from a keeper that was
killed; `sweep` removes it and what the kernel does not take away by itself, and every command begins with that.
"""

import contextlib
import fcntl
import json
import os
import select
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hepto.edge import cache
from hepto.host import groups, sysctls
from init.contract import durable

RUN = Path("/run/hepto-host")
LOCK_POLL = 0.05


@dataclass(frozen=True)
class Record:
    """What there is to know of a node that runs."""

    name: str
    cluster: str
    role: str
    iface: str
    data: str
    keeper: int
    """The process that holds it."""
    group: str
    """Its control group."""
    pid: int = 0
    """The node's PID 1, as the host counts; 0 between two boots."""
    attachment: str = ""
    """`macvlan`, `ipvlan` or `veth`."""
    port: int = 0
    """Where the keeper relays the apiserver on [::1]; 0: there is none here."""


@dataclass(frozen=True)
class Place:
    """The paths of one node's directory."""

    directory: Path

    @property
    def name(self) -> str:
        """The node's name."""
        return self.directory.name

    @property
    def lock(self) -> Path:
        """Held by the keeper."""
        return self.directory.with_name(f".{self.name}.lock")

    @property
    def root(self) -> Path:
        """Where the node's root is mounted, in the node's own namespace only."""
        return self.directory / "root"

    @property
    def console(self) -> Path:
        """A FIFO: PID 1's lines."""
        return self.directory / "console"

    @property
    def log(self) -> Path:
        """The same lines, kept, and what the keeper itself has to say."""
        return self.directory / "console.log"

    @property
    def kubeconfig(self) -> Path:
        """For the host: through the relay."""
        return self.directory / "kubeconfig"

    @property
    def record(self) -> Path:
        """What `read` reads."""
        return self.directory / "node.json"

    def write(self, record: Record) -> None:
        """Note the node."""
        durable.write(str(self.record), json.dumps(asdict(record)).encode(), sync=False)

    def read(self) -> Record | None:
        """The node that was noted; None if none was."""
        try:
            return Record(**json.loads(self.record.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None


def acquire(place: Place) -> int | None:
    """Take the node's lock and return its descriptor; None when a living keeper has it."""
    return cache.own(place.lock)


def places(run: Path = RUN) -> tuple[Place, ...]:
    """Of all nodes that are noted, and of locks without one."""
    names = {path.name.removeprefix(".").removesuffix(".lock") for path in run.iterdir()} if run.is_dir() else set()
    return tuple(Place(run / name) for name in sorted(names) if name != kept_sysctls(run).name)


def kept_sysctls(run: Path = RUN) -> Path:
    """What the machine-wide variables were before the first node."""
    return run / "sysctls.json"


def living(run: Path = RUN) -> Iterator[Record]:
    """The nodes of this host. Removes what killed keepers have left."""
    for place in places(run):
        descriptor = acquire(place)
        if descriptor is None:
            if (record := place.read()) is not None:
                yield record
            continue
        remove(place)
        os.close(descriptor)
    finish(run)


def remove(place: Place) -> None:
    """Take away all of a node whose keeper is gone, its lock too. Only for who holds that."""
    remove_leftovers(place)
    with contextlib.suppress(FileNotFoundError):
        place.lock.unlink()


def remove_leftovers(place: Place) -> None:
    """The same but for the lock: the next keeper has it."""
    record = place.read()
    if record is not None:
        groups.Groups(Path(record.group)).remove()
    _clear(place.directory)


def begin(place: Place) -> None:
    """An empty directory for a new node, and the host's variables kept. Only for who holds the lock."""
    remove_leftovers(place)
    place.directory.mkdir(mode=0o700)
    with _alone(place.directory.parent):
        sysctls.save(kept_sysctls(place.directory.parent))


def release(place: Place) -> None:
    """The keeper's own end: its node is gone, and so are its groups as far as it can."""
    _clear(place.directory)
    with contextlib.suppress(FileNotFoundError):
        place.lock.unlink()
    finish(place.directory.parent)


def finish(run: Path = RUN) -> None:
    """With the last node the host's own variables come back, and the directory goes."""
    with contextlib.suppress(FileNotFoundError), _alone(run):
        if not places(run):
            sysctls.restore(kept_sysctls(run))
            with contextlib.suppress(OSError):
                run.rmdir()


def _clear(directory: Path) -> None:
    """Remove it with what a keeper makes in it, and never what may be mounted there: that would be a node's data."""
    with contextlib.suppress(FileNotFoundError):
        for path in directory.iterdir():
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
        directory.rmdir()


@contextlib.contextmanager
def _alone(run: Path) -> Iterator[None]:
    """The last node's end and the next one's beginning take turns."""
    descriptor = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def ended(place: Place, seconds: float) -> bool:
    """Wait until nobody holds the node; False if that takes longer."""
    polls = int(seconds / LOCK_POLL)
    for _ in range(polls):
        descriptor = acquire(place)
        if descriptor is not None:
            remove(place)
            os.close(descriptor)
            finish(place.directory.parent)
            return True
        select.select([], [], [], LOCK_POLL)
    return False
