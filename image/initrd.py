"""Writes and reads a cpio archive (newc) as the kernel unpacks it: the same bytes for the same entries.

Promises: parents come before children, device nodes need no root, times are zero. The kernel documents the format in
Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
HEADER = len(MAGIC) + 13 * 8
"""Bytes before the name: the magic and 13 numbers in hex."""


@dataclass(frozen=True)
class Entry:
    """A file, directory (`mode` says which), link (content = target) or device node of the archive."""

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(path: str, content: bytes, permissions: int = 0o644) -> Entry:
    """A regular file."""
    return Entry(path, stat.S_IFREG | permissions, content)


def directory(path: str, permissions: int = 0o755) -> Entry:
    """An empty directory."""
    return Entry(path, stat.S_IFDIR | permissions)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device(path: str, major: int, minor: int, permissions: int = 0o600) -> Entry:
    """A character device node."""
    return Entry(path, stat.S_IFCHR | permissions, device=(major, minor))


def write(entries: Iterable[Entry]) -> bytes:
    """The archive. Missing parent directories are made; the same path twice is a mistake."""
    table: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in table:
            raise ValueError(f"{entry.path} is in the archive twice")
        table[entry.path] = entry
    for path in list(table):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                table.setdefault(str(parent), directory(str(parent)))
    # Sorting by parts puts every directory before what is in it.
    ordered = sorted(table.values(), key=lambda entry: PurePosixPath(entry.path).parts)
    parts = [_record(number, entry) for number, entry in enumerate(ordered, start=1)]
    parts.append(_record(0, Entry(TRAILER, 0)))
    archive = b"".join(parts)
    return archive + bytes(-len(archive) % 512)


def read(archive: bytes) -> list[Entry]:
    """The entries of an archive that `write` made. Raises ValueError for anything else, as a compressed one."""
    entries: list[Entry] = []
    at = 0
    while True:
        fields = archive[at : at + HEADER]
        if len(fields) < HEADER or not fields.startswith(MAGIC):
            raise ValueError(f"no cpio header at byte {at}")
        numbers = [int(fields[start : start + 8], 16) for start in range(len(MAGIC), HEADER, 8)]
        mode, size, device, length = numbers[1], numbers[6], (numbers[9], numbers[10]), numbers[11]
        start = at + HEADER + length
        start += -start % 4
        name = archive[at + HEADER : at + HEADER + length].rstrip(b"\0").decode()
        if len(archive) < start + size:
            raise ValueError(f"{name} is cut off")
        if name == TRAILER:
            return entries
        entries.append(Entry(name, mode, archive[start : start + size], device))
        at = start + size
        at += -at % 4


def _record(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    major, minor = entry.device
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, major, minor, len(name), 0)
    header = MAGIC + b"".join(b"%08x" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
