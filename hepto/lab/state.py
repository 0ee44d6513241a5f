"""Where labs live on this machine: one directory a lab below XDG_STATE_HOME, one lock beside it.

A lab is alive exactly while its keeper holds the lock; a directory without a held lock is left from a crash of the
keeper itself and is removed by whoever gets the lock next. All of it is 0700: the directory holds the cluster's key
and the nodes' disks.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hepto.edge import cache
from hepto.errors import ExitCode, UserError
from hepto.lab.spec import NAME, RESERVED, NodeFiles

SOCKET = "holder.sock"


def labs_directory(environment: Mapping[str, str] | None = None) -> Path:
    """The directory of all labs of this user."""
    given = os.environ if environment is None else environment
    state = given.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path is invalid and to be ignored.
    base = Path(state) if state.startswith("/") else Path(given.get("HOME") or Path.home()) / ".local/state"
    return base / "hepto" / "lab"


@dataclass(frozen=True)
class Place:
    """The paths of one lab."""

    directory: Path

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.directory.name

    @property
    def lock(self) -> Path:
        """Held by the keeper for as long as the lab lives."""
        return self.directory.with_name(f".{self.name}.lock")

    @property
    def log(self) -> Path:
        """What the holder itself had to say."""
        return self.directory / "holder.log"

    def node(self, name: str) -> NodeFiles:
        """The files of a node."""
        return NodeFiles(self.directory / name)


def place(name: str, environment: Mapping[str, str] | None = None) -> Place:
    """The place of the lab of that name, whether there is one or not. Raises UserError for a name that cannot be."""
    check_name(name, "lab")
    return Place(labs_directory(environment) / name)


def check_name(name: str, what: str) -> None:
    """Names become directories and DNS labels. Raises UserError."""
    if NAME.fullmatch(name) is None or name in RESERVED:
        raise UserError(
            f"{name!r} cannot be the name of a {what}",
            "use lower-case letters, digits and '-' (at most 32), and neither 'router' nor 'outside'",
            ExitCode.USAGE,
        )


def acquire(where: Place) -> int | None:
    """Take the lab's lock and return its descriptor; None when a living lab has it."""
    return cache.own(where.lock)


def alive(where: Place) -> bool:
    """True if a keeper holds the lab."""
    try:
        descriptor = os.open(where.lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def clear(where: Place) -> None:
    """Remove what a lab left whose keeper was killed too. Only for who holds the lock."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(where.directory)


def remove(where: Place) -> None:
    """Remove all of a lab's files, the lock too. Only for who holds it."""
    clear(where)
    with contextlib.suppress(FileNotFoundError):
        where.lock.unlink()
    # The parents go too when this was the last lab, so that a machine looks as before.
    for parent in list(where.directory.parents)[:2]:
        with contextlib.suppress(OSError):
            parent.rmdir()


def sweep(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Remove what dead labs left (their keeper was killed too). The names of those removed."""
    removed = []
    base = labs_directory(environment)
    for directory in sorted(base.iterdir()) if base.is_dir() else ():
        name = directory.name.removeprefix(".").removesuffix(".lock")
        where = Place(base / name)
        if NAME.fullmatch(name) is None or name in removed or (descriptor := acquire(where)) is None:
            continue
        remove(where)
        os.close(descriptor)
        removed.append(name)
    return tuple(removed)


def living(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The names of the labs there are."""
    base = labs_directory(environment)
    names = sorted(path.name for path in base.iterdir() if path.is_dir()) if base.is_dir() else []
    return tuple(name for name in names if alive(Place(base / name)))


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A path for bind or connect that fits into sockaddr_un (107 characters), however long the directory's name is."""
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
