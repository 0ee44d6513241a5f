"""The device below a file system: whether the kernel has found errors there, and whether it answers.

Calls of `answers` may take as long as a broken device lets them: not for the event loop.
"""

import contextlib
import mmap
import os
from pathlib import Path

SECTOR = 512


def device_of(path: str, root: str = "") -> str | None:
    """The name of the device that the file system at `path` is on; None if there is none, as of a tmpfs."""
    number = Path(path).stat().st_dev
    with contextlib.suppress(FileNotFoundError):
        return Path(f"{root}/sys/dev/block/{os.major(number)}:{os.minor(number)}").readlink().name
    return None


def errors(name: str, root: str = "") -> int:
    """How many errors ext4 has met on this device since its file system was last checked; 0 if it does not say."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"{root}/sys/fs/ext4/{name}/errors_count").read_bytes())
    return 0


def answers(name: str, root: str = "") -> bool:
    """True if the first sector can be read, and be written as it is: no file system of ours keeps anything there.

    Past all caches. Of a device with larger sectors that is only read: more than the first 512 bytes would be written.
    """
    try:
        size = int(Path(f"{root}/sys/class/block/{name}/queue/logical_block_size").read_bytes())
        descriptor = os.open(f"{root}/dev/{name}", os.O_RDWR | os.O_DIRECT | os.O_DSYNC | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Direct I/O wants aligned memory, which a mapping is.
        with mmap.mmap(-1, mmap.PAGESIZE) as page, memoryview(page)[:size] as sector:
            if os.preadv(descriptor, [sector], 0) != size:
                return False
            return size > SECTOR or os.pwritev(descriptor, [sector], 0) == size
    except OSError:
        return False
    finally:
        os.close(descriptor)
