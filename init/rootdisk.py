"""The disk that the machine was started from, where there is one: its partitions by name. Reads sysfs only.

The root of a disk image is a device-mapper target (dm-verity) over two of its partitions; the kernel says so under
`slaves`. A root that is a whole disk, or lies in the initramfs, has no partitions beside it.
"""

import array
import fcntl
import os
import struct
from typing import NamedTuple

SECTOR = 512
BLKPG, BLKPG_RESIZE_PARTITION = 0x1269, 3  # linux/blkpg.h
_PARTITION = struct.Struct("qqi64s64s4x")  # struct blkpg_partition: start and length in bytes, number, two names
_ARGUMENT = struct.Struct("iiiP")  # struct blkpg_ioctl_arg: what, flags, length and address of the former
BLOCK = "/sys/dev/block"


class Partition(NamedTuple):
    """A partition beside the root."""

    device: str
    """/dev/vda6"""
    disk: str
    """/dev/vda"""
    name: str
    """PARTLABEL of its GPT; not unique."""
    number: int
    start: int
    """Byte on the disk."""
    size: int
    """Bytes."""
    disk_size: int

    @property
    def room(self) -> int:
        """Bytes of the disk behind it."""
        return self.disk_size - self.start - self.size


def partitions(root: str = "") -> tuple[Partition, ...]:
    """All of the root's disk, in their order on it; () if it has none."""
    try:
        number = os.stat(f"{root}/").st_dev
        directory = os.path.realpath(f"{root}{BLOCK}/{os.major(number)}:{os.minor(number)}")
        slaves = sorted(os.listdir(f"{directory}/slaves"))
        if slaves:
            directory = os.path.realpath(f"{directory}/slaves/{slaves[0]}")
        if not os.path.exists(f"{directory}/partition"):
            return ()
        disk = os.path.dirname(directory)
        found = (_read(disk, name) for name in os.listdir(disk) if os.path.exists(f"{disk}/{name}/partition"))
        return tuple(sorted(found, key=lambda partition: partition.start))
    except (OSError, ValueError):  # no sysfs, or a disk that goes away at this moment
        return ()


def named(name: str, root: str = "") -> Partition | None:
    """The last one of that name."""
    return next((partition for partition in reversed(partitions(root)) if partition.name == name), None)


def resize(partition: Partition, size: int, root: str = "") -> None:
    """Tell the kernel the size (bytes) that the table on the disk gives this one. Raises OSError.

    It reads no table again while partitions of the disk are in use, and one that is removed and added as partx does it
    has lost its name.
    """
    data = array.array("b", _PARTITION.pack(partition.start, size, partition.number, b"", b""))
    address, length = data.buffer_info()
    descriptor = os.open(root + partition.disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, BLKPG, _ARGUMENT.pack(BLKPG_RESIZE_PARTITION, 0, length, address))
    finally:
        os.close(descriptor)


def name_of(directory: str) -> str:
    """PARTLABEL of the partition with that directory in sysfs; "" if its table gives none."""
    try:
        with open(f"{directory}/uevent", encoding="utf-8", errors="replace") as file:
            fields = dict(line.rstrip("\n").partition("=")[::2] for line in file)
    except OSError:
        return ""
    return fields.get("PARTNAME", "")


def _read(disk: str, name: str) -> Partition:
    def number(path: str) -> int:
        with open(path, encoding="ascii") as file:
            return int(file.read())

    directory = f"{disk}/{name}"
    return Partition(
        device=f"/dev/{name}",
        disk=f"/dev/{os.path.basename(disk)}",
        name=name_of(directory),
        number=number(f"{directory}/partition"),
        start=number(f"{directory}/start") * SECTOR,
        size=number(f"{directory}/size") * SECTOR,
        disk_size=number(f"{disk}/size") * SECTOR,
    )
