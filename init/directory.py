"""The directory of service files, watched: which files there are, and which have changed since the last look.

Promises: a file is read again only when its inode, size or time differs; inotify makes a look prompt and a look every
`RESCAN` seconds makes it certain; temporary files of a rename are not seen. Says nothing about what a file means.
"""

import errno
import os
from typing import NamedTuple

from init import linux
from init.contract.service import MAX_BYTES, valid_name

RESCAN, SOON = 10.0, 0.5
"""Seconds to the next look without an event; and where a file could not be read for want of descriptors or memory."""
UNREADABLE = (errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EACCES, errno.EPERM)
"""What is no file, or may not be read: it stays so until it is replaced."""
_EVENTS = linux.IN_CLOSE_WRITE | linux.IN_MOVED_FROM | linux.IN_MOVED_TO | linux.IN_DELETE
_Signature = tuple[int, int, int]


class Changes(NamedTuple):
    """What a look found: content by name of new and changed files, and the names of all there are."""

    written: dict[str, bytes]
    present: frozenset[str] | None
    """None: the directory could not be seen, so no file's absence is known."""


class Directory:
    """One directory of `NAME.json`."""

    def __init__(self, path: str):
        self._path = path
        self._seen: dict[str, _Signature] = {}
        self._due = 0.0

    def watch(self) -> int:
        """A descriptor that becomes readable when the directory changes."""
        return linux.inotify(self._path, _EVENTS)

    def deadline(self) -> float:
        """When to look even without an event."""
        return self._due

    def look_now(self) -> None:
        """Something has happened: the next look is due."""
        self._due = 0.0

    def look(self, now: float) -> Changes:
        """Compare with the last look. A directory that is not there changes nothing: that is no positive fact."""
        self._due = now + RESCAN
        try:
            entries = list(os.scandir(self._path))
        except FileNotFoundError:
            return Changes({}, None)
        written: dict[str, bytes] = {}
        found: set[str] = set()
        for entry in entries:
            name = entry.name.removesuffix(".json")
            if name == entry.name or not valid_name(name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            found.add(name)
            signature = (status.st_ino, status.st_size, status.st_mtime_ns)
            if self._seen.get(name) == signature:
                continue
            try:
                written[name] = _read(entry.path)
            except FileNotFoundError:
                found.discard(name)
                continue
            except OSError:
                self._due = now + SOON
                continue
            self._seen[name] = signature
        self._seen = {name: signature for name, signature in self._seen.items() if name in found}
        return Changes(written, frozenset(found))

    def forget(self) -> None:
        """Read everything anew at the next look."""
        self._seen.clear()
        self._due = 0.0


def _read(path: str) -> bytes:
    """A file's content, cut behind its largest size; nothing (which is no JSON either) if it is no file or may not be
    read.

    Never waits: a FIFO of that name would hold up PID 1 for ever. Raises FileNotFoundError, and OSError for what is not
    the file's doing.
    """
    data = b""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            while part := os.read(descriptor, MAX_BYTES + 1 - len(data)):
                data += part
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        return b""
    return data
