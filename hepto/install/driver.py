"""Reads the medium and the machine's disks, and writes a disk.

Promises: nothing is written before the disk is opened exclusively, which the kernel refuses for whatever is in use;
the partition table comes last, so a disk on which it was cut off is not started from; what was written is read back
and compared with the medium's checksums.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from hepto.edge import process
from hepto.errors import UserError
from hepto.install.layout import MIB, Disk, Layout, Partition, disks, parse
from init import linux
from init.contract import durable, paths

MEDIUM = f"{paths.MEDIUM}/hepto"
TARGET = f"{paths.RUN}/install"
BLKID = "/usr/sbin/blkid"
SFDISK = ("/usr/sbin/sfdisk", "--quiet", "--wipe", "never", "--wipe-partitions", "never")
"""What the partitions hold is there already: no signature is to be wiped."""
SYS = "/sys/class/block"
BLKZEROOUT, BLKFLSBUF = 0x127F, 0x1261  # linux/fs.h
_RANGE = struct.Struct("QQ")
CHUNK, LONG = 4 * MIB, 64 * MIB
SECONDS = 120.0
NO_EXEC = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC

Tell = Callable[[int], object]
"""Told how many more bytes are done."""


def medium(root: str = "") -> Layout:
    """What this machine's installation medium holds. Raises UserError if it was not started from one."""
    try:
        return parse(Path(f"{root}{MEDIUM}/layout.json").read_bytes())
    except FileNotFoundError:
        what = "this machine was not started from an installation medium"
        raise UserError(what, "make one with “hepto build --format iso”, and start the machine from it") from None


def found() -> tuple[Disk, ...]:
    """The disks of this machine. Raises UserError."""
    try:
        rows: list[dict[str, Any]] = json.loads(_run(paths.PYTHON, "-I", "-S", paths.PROGRAM, "disks"))
    except process.CommandError as error:
        what = f"the disks cannot be looked at: {str(error).splitlines()[-1]}"
        raise UserError(what, "see “dmesg” for a broken disk, and take it out") from error
    names, sectors = {}, {}
    for row in rows:
        device = str(row["device"])
        if row["whole"]:
            with contextlib.suppress(OSError, ValueError):
                sectors[device] = _number(f"{SYS}/{device.rpartition('/')[2]}/queue/logical_block_size")
            if not row["label"] and not row["root"]:
                names[device] = _name(device)
    return disks(rows, names, sectors)


def work(layout: Layout) -> int:
    """Bytes that `write` will tell of: all partitions with content are written, and their content is read again."""
    return sum(part.size + part.bytes for part in layout.partitions if part.file)


class Target(Protocol):
    """A disk that is written: places and lengths in bytes, everything raises OSError."""

    def write(self, at: int, data: bytes) -> None:
        """All of it."""

    def zero(self, at: int, length: int) -> None:
        """Zeros from there on."""

    def read(self, at: int, length: int) -> bytes:
        """At most that much."""

    def settle(self) -> None:
        """What was written is on the disk, and is read from there."""

    def partition(self, script: str) -> None:
        """Write the partition table that sfdisk(8) reads, let the kernel know it, and be done."""


class BlockDevice:
    """A disk, opened exclusively."""

    def __init__(self, path: str) -> None:
        """Raises OSError, EBUSY for one that is in use."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)

    def write(self, at: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.pwrite(self._descriptor, view, at)
            view, at = view[done:], at + done

    def zero(self, at: int, length: int) -> None:
        fcntl.ioctl(self._descriptor, BLKZEROOUT, _RANGE.pack(at, length))

    def read(self, at: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, at)

    def settle(self) -> None:
        os.fsync(self._descriptor)
        fcntl.ioctl(self._descriptor, BLKFLSBUF)

    def partition(self, script: str) -> None:
        os.close(self._descriptor)
        _run(*SFDISK, self._path, stdin=script.encode())


def write(
    disk: Disk, layout: Layout, tell: Tell, folder: str = MEDIUM, opened: Callable[[str], Target] = BlockDevice
) -> None:
    """Make the disk what the layout says, of the files in `folder`. Raises UserError."""
    try:
        target = opened(disk.device)
        # Both partition tables first: from here on nothing is started from it.
        for start in (0, disk.size - MIB):
            target.zero(start, MIB)
        for part in layout.partitions:
            if part.file:
                _copy(f"{folder}/{part.file}", target, part, tell)
            else:
                target.zero(part.offset, MIB)
        target.settle()
        for part in layout.partitions:
            if part.file:
                _compare(disk, target, part, tell)
        target.partition(layout.script)
    except OSError as error:
        what = f"{disk.describe()} cannot be written: {error.strerror or error}"
        raise UserError(what, "see “dmesg”: the disk may be broken; nothing can be started from it now") from error


def configure(disk: Disk, files: Mapping[str, bytes]) -> None:
    """Put files into the ESP, the first partition. Raises UserError."""
    try:
        Path(TARGET).mkdir(mode=0o700, exist_ok=True)
        linux.mount(disk.partition(1), TARGET, "vfat", NO_EXEC, "umask=0077")
        try:
            for name, content in files.items():
                path = Path(TARGET, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                durable.write(str(path), content)
        finally:
            linux.umount2(TARGET, 0)
    except OSError as error:
        what = f"the configuration cannot be written to {disk.partition(1)}: {error.strerror or error}"
        raise UserError(what, "install again: without its configuration the node starts nothing") from error


def _copy(source: str, target: Target, part: Partition, tell: Tell) -> None:
    """A file, and zeros to the end of the partition."""
    at, end = part.offset, part.offset + part.size
    with open(source, "rb") as file:  # noqa: PTH123 - paths are texts in the contract
        while data := file.read(min(CHUNK, end - at)):
            target.write(at, data)
            at += len(data)
            tell(len(data))
    while at < end:
        length = min(LONG, end - at)
        target.zero(at, length)
        at += length
        tell(length)


def _compare(disk: Disk, target: Target, part: Partition, tell: Tell) -> None:
    digest, at, end = hashlib.sha256(), part.offset, part.offset + part.bytes
    while at < end and (data := target.read(at, min(CHUNK, end - at))):
        digest.update(data)
        at += len(data)
        tell(len(data))
    if digest.hexdigest() != part.sha256:
        what = f"{part.label} on {disk.describe()} is not what the medium's checksum says"
        raise UserError(what, "the medium or the disk is damaged: write the medium anew, or take another disk")


def _name(device: str) -> str:
    """What libblkid knows the content by; "" for nothing (its exit code 2)."""
    try:
        lines = _run(BLKID, "-p", "-o", "export", device).splitlines()
    except process.CommandError:
        return ""
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    kind = fields.get("TYPE") or f"a partition table ({fields.get('PTTYPE', 'unknown')}) without partitions"
    return kind + (f" labelled {fields['LABEL']}" if "LABEL" in fields else "")


def _number(path: str) -> int:
    return int(Path(path).read_text(encoding="ascii"))


def _run(*argv: str, stdin: bytes = b"") -> str:
    return asyncio.run(process.run(argv, stdin, timeout=SECONDS)).stdout.decode(errors="replace")
