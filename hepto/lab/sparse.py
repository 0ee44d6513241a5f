"""Files that are mostly holes: disks of machines."""

import os
from pathlib import Path


def copy(source: Path, target: int) -> None:
    """Copy what is not a hole into the open, empty file `target`, which gets the length of `source`. Raises OSError."""
    with source.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        at = 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: only holes follow
                break
            until = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            os.lseek(target, at, os.SEEK_SET)
            while at < until:
                at += os.sendfile(target, file.fileno(), at, until - at)
        os.ftruncate(target, end)


def write(target: int, place: int, data: bytes) -> None:
    """Write `data`, but leave a hole a hole where it is zeros. Raises OSError."""
    if data.count(0) == len(data) and os.pread(target, len(data), place) == data:
        return
    view = memoryview(data)
    while view:
        written = os.pwrite(target, view, place)
        view, place = view[written:], place + written
