"""Writes that survive a power cut: temporary file, fsync, rename, fsync of the directory.

Every file that hepto or PID 1 wants to find again is written here. A reader sees the old content or the new one, never
a part; a crash leaves at most a temporary file whose name starts with a dot and ends in `.tmp`, which nobody reads.
"""

import contextlib
import os

MODE_SECRET = 0o600
MODE_PUBLIC = 0o644


def write(path: str, data: bytes, mode: int = MODE_SECRET, *, sync: bool = True) -> None:
    """Replace `path` by `data` atomically; with `sync` also durably (without: for tmpfs, where fsync means nothing).

    The directory must exist. Raises OSError and leaves `path` as it was.
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # the umask took bits away at creation
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if sync:
        sync_directory(directory)


def write_if_changed(path: str, data: bytes, mode: int = MODE_SECRET, *, sync: bool = True) -> bool:
    """Like `write`, but leaves a file alone that holds `data` already. True if it was written."""
    try:
        with open(path, "rb") as file:
            if file.read(len(data) + 1) == data and (os.fstat(file.fileno()).st_mode & 0o777) == mode:
                return False
    except FileNotFoundError:
        pass
    write(path, data, mode, sync=sync)
    return True


def remove(path: str, *, sync: bool = True) -> bool:
    """Remove `path` durably. False if there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    if sync:
        sync_directory(os.path.dirname(path))
    return True


def sync_directory(path: str) -> None:
    """Make the names in directory `path` durable (a rename is only on disk when its directory is)."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
