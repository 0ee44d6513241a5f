"""The build host's cache: directories that are either whole or absent.

Promises: an entry appears by one rename after its contents were synced, so a crash or Ctrl-C leaves at most a temporary
directory, which the next maker removes; two processes never make the same entry at once. Must not know what is in the
entries.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from hepto.errors import ExitCode, UserError

TEMPORARY = ".making-"


def cache_directory(environment: Mapping[str, str] | None = None) -> Path:
    """HEPTO_CACHE, else hepto's folder of the XDG cache. Raises UserError if HEPTO_CACHE names something else."""
    given = os.environ if environment is None else environment
    if override := given.get("HEPTO_CACHE"):
        directory = Path(override).absolute()
        existing_part = next(path for path in (directory, *directory.parents) if path.exists())
        if not existing_part.is_dir():
            raise UserError(
                f"HEPTO_CACHE={override}: {existing_part} is no directory",
                "name a directory, or unset it",
                ExitCode.USAGE,
            )
        return directory
    # The XDG specification: a relative path is invalid and to be ignored.
    base = given.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path(given.get("HOME") or Path.home()) / ".cache") / "hepto"


def key_of(*inputs: str | bytes) -> str:
    """A short key of inputs; each is hashed with its length, so that no two lists of inputs run together."""
    digest = hashlib.sha256()
    for value in inputs:
        data = value.encode() if isinstance(value, str) else value
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file until the block ends; the kernel drops it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def own(path: Path) -> int | None:
    """Take the lock on a file that its last owner removes, and return its descriptor; None when a living process has
    it. The kernel drops it with its last holder. The file's directory is made if it is not there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass  # the last owner has removed the file between our open and our lock: that lock is worth nothing
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Everything of the file system that holds `path` reaches its disk (there is no syncfs in Python's os)."""
    subprocess.run(["sync", "-f", os.fspath(path)], check=True, stdin=subprocess.DEVNULL)


def sync_directory(path: Path) -> None:
    """A rename inside `path` survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Removes a directory, also one in which packages left unwritable directories."""

    def repair(function: Callable[..., object], name: str, _error: object) -> None:
        parent = Path(name).parent
        parent.chmod(parent.stat().st_mode | 0o700)
        Path(name).chmod(0o700) if Path(name).is_dir() and not Path(name).is_symlink() else None
        function(name) if function is not os.open else shutil.rmtree(name, ignore_errors=True)

    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=repair)


@contextlib.contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """An empty directory `parent`/.`name`-PID for as long as the block lasts; those of dead processes go as well.

    Two processes never share one, so neither waits for the other. What is renamed away inside the block stays.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f".{name}-*"):
        if not (Path("/proc") / left.name.rpartition("-")[2]).exists():
            remove_tree(left)
    directory = parent / f".{name}-{os.getpid()}"
    remove_tree(directory)
    directory.mkdir()
    try:
        yield directory
    finally:
        remove_tree(directory)


def existing(kind: Path, key: str) -> Path | None:
    """The whole entry of that key, if there is one."""
    entry = kind / key
    return entry if entry.is_dir() else None


def ensure(kind: Path, key: str, make: Callable[[Path], None], *, keep: int = 2) -> Path:
    """The entry `kind`/`key`, made by `make(directory)` if it is not there; of older entries of the kind the newest few
    stay.
    """
    if entry := existing(kind, key):
        os.utime(entry)
        return entry
    with locked(kind / ".lock"):
        if entry := existing(kind, key):
            return entry
        for left in kind.glob(TEMPORARY + "*"):
            remove_tree(left)
        temporary = kind / (TEMPORARY + key)
        temporary.mkdir(mode=0o755)
        try:
            make(temporary)
            sync_tree(temporary)
        except BaseException:
            remove_tree(temporary)
            raise
        entry = kind / key
        temporary.rename(entry)
        sync_directory(kind)
        others = [path for path in kind.iterdir() if path.is_dir() and path != entry]
        for old in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[max(keep - 1, 0) :]:
            remove_tree(old)
        return entry
