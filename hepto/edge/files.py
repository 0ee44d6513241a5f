"""Directories and files of the agent: reading what may be absent, the room there is. Writing is
init.contract.durable's."""

import contextlib
import os
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Space:
    """A file system's room, for root: bytes and inodes, there and free."""

    total: int
    free: int
    inodes: int
    free_inodes: int


def read(path: str, most: int = 1 << 20) -> bytes | None:
    """The content, None when there is no such file. Raises OSError on anything else, and on more than `most` bytes."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - paths are texts all through the contract
            data = file.read(most + 1)
    except FileNotFoundError:
        return None
    if len(data) > most:
        raise OSError(f"{path}: larger than {most} bytes")
    return data


def names(path: str) -> tuple[str, ...]:
    """The names in a directory, sorted; none when there is no such directory."""
    with contextlib.suppress(FileNotFoundError):
        return tuple(sorted(os.listdir(path)))  # noqa: PTH208
    return ()


def space(path: str) -> Space:
    """Of the file system that `path` is on. Raises OSError."""
    found = os.statvfs(path)
    return Space(found.f_blocks * found.f_frsize, found.f_bfree * found.f_frsize, found.f_files, found.f_ffree)


def unnamed(directory: str) -> BinaryIO:
    """A file without a name on the file system of `directory`, for what is too large for memory; gone when closed."""
    descriptor = os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "r+b")
