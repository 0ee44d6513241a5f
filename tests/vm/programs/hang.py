"""Mounts a file system whose device answers nothing any more, as the volume of a storage server that is gone.

Called on a node as `hang.py DIRECTORY`: ext4 on a device of the device mapper, on a loop device, on a file in memory.
When something is written that waits in the page cache, the device is suspended: whoever writes to it now, as an
unmounting does, waits for ever and cannot be killed.
"""

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

# include/uapi/linux/dm-ioctl.h (version 4)
CONTROL = "/dev/mapper/control"
HEADER = struct.Struct("=3I4i3IQ128s129s7x")  # struct dm_ioctl
TARGET = struct.Struct("=QQiI16s")  # struct dm_target_spec
CREATE, SUSPEND, LOAD = 3, 6, 9
SUSPENDED, SKIP_LOCKFS, NOFLUSH = 1 << 1, 1 << 10, 1 << 11
NAME = b"hung"

IMAGE, SIZE = "/run/hung.img", 64 << 20
SECTOR = 512


def order(number: int, flags: int = 0, target: bytes = b"") -> int:
    """One ioctl about our device; its device number. Raises OSError."""
    size = HEADER.size + len(target)
    header = HEADER.pack(4, 0, 0, size, HEADER.size, bool(target), 0, flags, 0, 0, 0, NAME, b"")
    request = 3 << 30 | HEADER.size << 16 | 0xFD << 8 | number  # _IOWR(0xfd, number, struct dm_ioctl)
    argument = bytearray(header + target)
    control = os.open(CONTROL, os.O_RDWR)
    try:
        fcntl.ioctl(control, request, argument)
    finally:
        os.close(control)
    return int(HEADER.unpack_from(argument)[10])


def linear(device: str) -> bytes:
    """A table of one line: all of `device`."""
    parameters = f"{device} 0".encode() + b"\0"
    parameters += bytes(-len(parameters) % 8)
    return TARGET.pack(0, SIZE // SECTOR, 0, TARGET.size + len(parameters), b"linear") + parameters


def main(directory: str) -> None:
    """Raises OSError and CalledProcessError."""
    subprocess.run(["/usr/sbin/modprobe", "-a", "loop", "dm-mod"], check=True)
    with Path(IMAGE).open("wb") as image:
        image.truncate(SIZE)
    loop = subprocess.check_output(["/usr/sbin/losetup", "--find", "--show", IMAGE], text=True).strip()
    number = order(CREATE)
    order(LOAD, target=linear(loop))
    order(SUSPEND)  # without the flag: go on, with the table that was loaded
    device = f"/dev/dm-{os.minor(number)}"
    subprocess.run(["/usr/sbin/mke2fs", "-q", "-t", "ext4", device], check=True)
    Path(directory).mkdir()
    subprocess.run(["/usr/bin/mount", device, directory], check=True)
    Path(directory, "file").write_bytes(bytes(1 << 20))
    order(SUSPEND, SUSPENDED | SKIP_LOCKFS | NOFLUSH)


if __name__ == "__main__":
    main(*sys.argv[1:])
