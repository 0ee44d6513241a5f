"""What is wrong with the data disk, in words, and what to do about it. Pure: from what failed and what statvfs(2) says.

A node whose disk takes nothing more goes on: mesh and gossip need none. What it could not write it writes when it can.
"""

import errno
from typing import Final

from hepto.edge.files import Space
from init.contract.sizes import human

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
FAULTS: Final = (*FULL, errno.EROFS, errno.EIO)
"""Errors that are the disk's and not of what was asked for."""
GOES_ON: Final = "the node goes on by itself then"
MEBIBYTE: Final = 1 << 20


def fault(error: OSError, root: str) -> int:
    """The errno if the file system at `root` is to blame, else 0. read(2) names no file: nobody else fails so."""
    name = error.filename
    there = not isinstance(name, str) or name == root or name.startswith(f"{root}/")
    return error.errno if there and error.errno in FAULTS else 0


def has_room(space: Space) -> bool:
    """False if not even a small file fits. Some file systems have no number of inodes: 0 of 0."""
    return space.free > 0 and (space.free_inodes > 0 or space.inodes == 0)


def explain(number: int, space: Space | None) -> tuple[str, str]:
    """What is wrong and what to do, from an errno of `FAULTS` and the numbers of the file system, if it gave any.

    Free space is given in whole MiB: what changes with every file would be told each time.
    """
    if number in FULL and space is not None and space.free and not has_room(space):
        what = f"the data disk has no inode for another file: 0 of {space.inodes} are free"
        return what, f"remove files or images that are not needed; {GOES_ON}"
    if number in FULL:
        figures = f": {space.free // MEBIBYTE} MiB free of {human(space.total)}" if space is not None else ""
        return f"the data disk is full{figures}", f"remove images, pods or files that are not needed; {GOES_ON}"
    if number == errno.EROFS:
        hint = "the node reboots when the disk answers, to check it; replace it if it does not"
        return "the data disk is read-only: the kernel has met an error and writes no more", hint
    return "the data disk fails: input/output error", "replace it if that stays; `hepto logs kernel` has the reason"


STEADY_SECONDS: Final = 30.0
"""So long a disk has to answer again."""
GOOD_SECONDS, RARELY_SECONDS = 300.0, 3600.0
"""A disk that was good for less than this after a boot is given an hour: rebooting does not help it."""


def may_reboot(*, trouble: float, answers: float | None, now: float) -> bool:
    """True if a file system that the kernel has given up is to be checked, which only a boot does.

    All in seconds since the boot: when the trouble began, since when the device answers (None: it does not), and now.
    """
    if answers is None or now - answers < STEADY_SECONDS:
        return False
    return trouble >= GOOD_SECONDS or now - trouble >= RARELY_SECONDS


def silent(seconds: float) -> tuple[str, str]:
    """The same for a write that does not come back."""
    return f"the data disk has not answered for {seconds:.0f} s", "replace it if that stays"
