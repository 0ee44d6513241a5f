"""What is on the machine's block devices, for `init.disks.decide`.

Reads sysfs and a few sectors of each device. A broken disk may block for minutes, so this runs in a child of PID 1,
which gives its findings as JSON (`probe`); it changes nothing. A device that vanishes meanwhile is left out.
"""

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace

from init import rootdisk
from init.disks import Disk

CLASS = "/sys/class/block"
PASSED_OVER = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd")
"""Devices that lie on others, or are no disks."""
SECTOR = 512
"""Unit of sysfs' `size` for every device (Documentation/ABI/stable/sysfs-block)."""
EDGE = 1024 * 1024
SUPERBLOCK = 1024
UNFINISHED = b"hepto is making a file system on this disk\n"
"""Lies at `unfinished_place` for as long as that takes. The label comes at mkfs' end, so without this a disk on which
it was cut off would be one with unknown content, for ever."""
EXT_MAGIC = b"\x53\xef"  # fs/ext4/ext4.h: s_magic at 0x38, s_volume_name at 0x78


def probe(root: str = "") -> bytes:
    """All disks and partitions as JSON; `parse` reads it."""
    return json.dumps([asdict(disk) for disk in scan(root)]).encode()


def parse(data: bytes) -> tuple[Disk, ...]:
    """The reverse of `probe`."""
    return tuple(Disk(**item) for item in json.loads(data))


def names(root: str = "") -> frozenset[str]:
    """The block devices there are, by name: cheap, to see whether one has come."""
    try:
        return frozenset(name for name in os.listdir(root + CLASS) if not name.startswith(PASSED_OVER))
    except FileNotFoundError:
        return frozenset()


def scan(root: str = "") -> Iterator[Disk]:
    """Each disk and partition, in the order of their names."""
    for name in sorted(names(root)):
        try:
            yield _describe(name, root)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM):
                raise


def unfinished_place(size: int) -> int:
    """Where on a disk of `size` bytes: before its last MiB, which has to be blank, and where mkfs puts nothing unless
    that is the beginning of a group. 0: it is too small for that."""
    return (size - 2 * EDGE) // 4096 * 4096 if size >= 8 * EDGE else 0


def mark_unfinished(device: str, size: int, *, unfinished: bool) -> None:
    """Write that, or take it away, durably. Raises OSError."""
    place = unfinished_place(size)
    if place:
        descriptor = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, (UNFINISHED if unfinished else b"").ljust(SECTOR, b"\0"), place)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def content_of(code: int, output: bytes) -> str:
    """What `blkid -p -o export` said. Its exit code 2 means: nothing known (blkid(8)); anything strange counts as
    something."""
    if code == 2 and not output.strip():
        return ""
    found = dict(line.split("=", 1) for line in output.decode("utf-8", "replace").splitlines() if "=" in line)
    kind = found.get("TYPE", "")
    table = f"partition table {found['PTTYPE']}" if "PTTYPE" in found else ""
    label = f" labelled {found['LABEL']}" if "LABEL" in found else ""
    return (kind + label if kind else table) or f"something that blkid cannot name (exit code {code})"


def with_content(disks: tuple[Disk, ...], contents: dict[str, str]) -> tuple[Disk, ...]:
    """The disks with what blkid found, by device."""
    return tuple(replace(disk, content=contents.get(disk.device, disk.content)) for disk in disks)


def _describe(name: str, root: str) -> Disk:
    directory = f"{root}{CLASS}/{name}"
    whole = not os.path.exists(f"{directory}/partition")
    disk = directory if whole else os.path.dirname(os.path.realpath(directory))
    size = int(_read(f"{directory}/size") or b"0") * SECTOR
    partition = "" if whole else rootdisk.name_of(os.path.realpath(directory))
    found = Disk(
        device=f"/dev/{name}",
        size=size,
        serial=_serial(disk),
        model=(_read(f"{disk}/device/model") or b"").decode("ascii", "replace"),
        whole=whole,
        read_only=_read(f"{directory}/ro") == b"1",
        partition=partition,
    )
    if not size:
        return found
    try:
        # Exclusive: fails for whatever is mounted, in whatever namespace, or lies under a device-mapper target.
        descriptor = os.open(f"{root}/dev/{name}", os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return replace(found, root=True, content="in use")
    try:
        partitioned = whole and any(os.path.exists(f"{directory}/{entry}/partition") for entry in os.listdir(directory))
        return look(descriptor, found, partitioned)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return replace(found, content="unreadable")
    finally:
        os.close(descriptor)


def look(descriptor: int, disk: Disk, partitioned: bool = False) -> Disk:
    """The disk or partition that is open, with what is on it. Raises OSError."""
    own = disk.reserved or (disk.whole and not partitioned)
    place = unfinished_place(disk.size) if own else 0
    if place and os.pread(descriptor, len(UNFINISHED), place) == UNFINISHED:
        return replace(disk, unfinished=True)
    first = os.pread(descriptor, EDGE, 0)
    block = first[SUPERBLOCK : SUPERBLOCK + 1024]
    if block[0x38:0x3A] == EXT_MAGIC:
        label = block[0x78:0x88].split(b"\0")[0].decode("utf-8", "replace")
        return replace(disk, label=label, filled=filled(block), content="ext")
    if partitioned:
        return replace(disk, content="partitions")
    if not own or first.count(0) != len(first):
        return disk
    if disk.reserved:  # the image wrote zeros here; what follows may be left of another use of the disk
        return replace(disk, blank=True)
    last = os.pread(descriptor, EDGE, max(0, disk.size - EDGE))
    return replace(disk, blank=last.count(0) == len(last))


def filled(block: bytes) -> int:
    """Bytes of the file system with this ext4 superblock: s_blocks_count and s_log_block_size of fs/ext4/ext4.h."""
    low, scale, high = (int.from_bytes(block[at : at + 4], "little") for at in (0x4, 0x18, 0x150))
    return (high << 32 | low) << 10 + min(scale, 6)


def _serial(directory: str) -> str:
    for file in ("serial", "device/serial"):  # virtio; NVMe and MMC
        if value := _read(f"{directory}/{file}"):
            return value.decode("ascii", "replace")
    page = _read(f"{directory}/device/vpd_pg80") or b""  # SCSI unit serial number: four bytes of head (SPC-4 7.8.15)
    return page[4:].decode("ascii", "replace").strip()


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(4096).strip()
    except OSError:
        return None
