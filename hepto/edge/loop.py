"""A file as a read-only block device, which goes by itself when nothing is mounted from it any more (loop(4))."""

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator

# include/uapi/linux/loop.h
LOOP_CTL_GET_FREE, LOOP_CONFIGURE = 0x4C82, 0x4C0A
LO_FLAGS_READ_ONLY, LO_FLAGS_AUTOCLEAR = 1, 4
_CONFIG = struct.Struct("=II232s64s")
"""struct loop_config: the file's descriptor, a block size (0: the default), struct loop_info64, reserved words."""
_FLAGS_AT = 52
"""Offset of lo_flags in struct loop_info64."""
CONTROL = "/dev/loop-control"
TRIES = 50


@contextlib.contextmanager
def attached(path: str, control: str = CONTROL) -> Iterator[str]:
    """The device, within the block: what is mounted from it keeps it afterwards. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        device, descriptor = _attach(file, control)
    finally:
        os.close(file)
    try:
        yield device
    finally:
        os.close(descriptor)


def _attach(file: int, control: str) -> tuple[str, int]:
    """Somebody else may take the free one between the two calls: then the next."""
    taken: OSError | None = None
    for _ in range(TRIES):
        number = _free(control)
        device = f"/dev/loop{number}"
        with contextlib.suppress(FileExistsError):
            os.mknod(device, 0o060660, os.makedev(7, number))  # where nobody makes nodes by uevent
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        information = bytearray(232)
        struct.pack_into("=I", information, _FLAGS_AT, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR)
        try:
            fcntl.ioctl(descriptor, LOOP_CONFIGURE, _CONFIG.pack(file, 0, bytes(information), bytes(64)))
        except OSError as error:
            os.close(descriptor)
            if error.errno != errno.EBUSY:
                raise
            taken = error
        else:
            return device, descriptor
    raise taken or OSError(errno.EBUSY, os.strerror(errno.EBUSY), control)


def _free(control: str) -> int:
    descriptor = os.open(control, os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(descriptor, LOOP_CTL_GET_FREE)
    finally:
        os.close(descriptor)
