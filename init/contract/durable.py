"""Writes that survive a power cut: temporary file, fsync, rename, fsync of the directory.

Every file that hepto or PID 1 wants to find again is written here, and no other module of a node makes or renames files
(tests/test_architecture.py). A reader sees the old content or the new one, never a part; a crash leaves at most a
temporary file whose name starts with a dot and ends in `.tmp`, which nobody reads and `sweep` removes.

Each function raises OSError with the path that it was called with. What has raised is to be done again: a name may be
there and be gone after a power cut, which `write_if_changed` knows of.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

MODE_SECRET = 0o600
MODE_PUBLIC = 0o644
MODE_DIRECTORY = 0o700

_synced: set[str] = set()
"""Directories of which this process knows that all their names are on the disk."""


def write(path: str, data: bytes, mode: int = MODE_SECRET, *, sync: bool = True) -> None:
    """Replace `path` by `data` atomically; with `sync` also durably (without: for tmpfs, where fsync means nothing).

    The directory must exist. Raises OSError; unless the last step failed, `path` is as it was.
    """
    with writing(path, mode, sync=sync) as put:
        put(data)


@contextlib.contextmanager
def writing(path: str, mode: int = MODE_SECRET, *, sync: bool = True) -> Iterator[Callable[[bytes], None]]:
    """The same for what comes in pieces: each is handed to what this gives. With an exception nothing has changed."""
    temporary = _temporary(path)
    with _named(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def put(data: bytes) -> None:
        with _named(path):
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]

    try:
        try:
            with _named(path):
                os.fchmod(descriptor, mode)  # the umask took bits away at creation
            yield put
            if sync:
                with _named(path):
                    os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with _named(path):
            publish(temporary, path, sync=sync)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_if_changed(path: str, data: bytes, mode: int = MODE_SECRET, *, sync: bool = True) -> bool:
    """Like `write`, but leaves a file alone that holds `data` already. True if it was written.

    Either way it is durable then: whoever wrote it may have died before it was.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(data) + 1) == data and stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode:
                if sync and os.path.dirname(path) not in _synced:
                    sync_directory(os.path.dirname(path))
                return False
    except FileNotFoundError:
        pass
    write(path, data, mode, sync=sync)
    return True


def publish(temporary: str, path: str, *, sync: bool = True) -> None:
    """Give a finished file of the same directory its name, in place of what has it. Its content must be on the disk."""
    directory = os.path.dirname(path)
    _synced.discard(directory)
    with _named(path):
        os.rename(temporary, path)
    if sync:
        sync_directory(directory)


def symlink(target: str, path: str, *, sync: bool = True) -> None:
    """Make `path` a link to `target`, in place of the file or link that is there. Raises OSError."""
    temporary = _temporary(path)
    with _named(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(target, temporary)
    publish(temporary, path, sync=sync)


def remove(path: str, *, sync: bool = True) -> bool:
    """Remove `path` durably. False if there was none."""
    directory = os.path.dirname(path)
    _synced.discard(directory)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    if sync:
        sync_directory(directory)
    return True


def make_directory(path: str, mode: int = MODE_DIRECTORY, *, exact: bool = False, sync: bool = True) -> None:
    """Make the directory, and those above it (0755), durably. Raises OSError.

    One that is there stays as it is; with `exact` it gets `mode` too, but nothing is written that is so already: a disk
    that has become read-only is no reason to fail.
    """
    if os.path.isdir(path):
        if exact and stat.S_IMODE(os.stat(path).st_mode) != mode:
            os.chmod(path, mode)
        return
    above = os.path.dirname(path)
    if above:
        make_directory(above, 0o755, sync=sync)
    _synced.discard(above)
    with _named(path):
        os.mkdir(path)
        os.chmod(path, mode)  # the umask took bits away
    if sync:
        sync_directory(above)


def sweep(directory: str) -> None:
    """Remove the temporary files that a power cut or a crash has left: only for who alone writes there."""
    with contextlib.suppress(OSError):  # next time
        for name in os.listdir(directory):
            if name.startswith(".") and name.endswith(".tmp"):
                os.unlink(f"{directory}/{name}")


def sync_directory(path: str) -> None:
    """Make the names in directory `path` durable (a rename is only on disk when its directory is)."""
    with _named(path or "."):
        descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except BaseException:
            _synced.discard(path)
            raise
        finally:
            os.close(descriptor)
    _synced.add(path)


def _temporary(path: str) -> str:
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.tmp")


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Say in errors which file it is about, whatever step failed: write(2) and fsync(2) know none."""
    try:
        yield
    except OSError as error:
        if error.filename == path and error.filename2 is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error
