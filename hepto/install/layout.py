"""What a disk is to look like, which disks there are, and whether one may be written to. Pure.

Promises: a disk that is not blank is never chosen without its serial number; the disk that the machine runs from never.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hepto.errors import ExitCode, UserError
from init.contract.sizes import human

MIB = 1 << 20
SECTOR = 512
"""Bytes. The FAT file system of the ESP is made for it."""
LEAST_DATA = 64 * MIB
"""What PID 1 wants for the data; a node with Kubernetes takes some gigabytes, and says so."""
BACKUP_TABLE = MIB
"""Behind the last partition."""
READ_ONLY = "GUID:60"
"""The attribute of the Discoverable Partitions Specification."""
LIST = "“hepto install” lists the disks"


@dataclass(frozen=True)
class Partition:
    """One partition; places and sizes in bytes."""

    type: str
    label: str
    offset: int
    size: int
    """Of the last one: at least; it takes what the disk has."""
    uuid: str = ""
    """"": any."""
    read_only: bool = False
    file: str = ""
    """Its content on the medium, without the zeros at its end; "": it is blank."""
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Layout:
    """The partitions of a disk in their order."""

    version: str
    partitions: tuple[Partition, ...]

    @property
    def needed(self) -> int:
        """Bytes of the smallest disk."""
        return self.partitions[-1].offset + LEAST_DATA + BACKUP_TABLE

    @property
    def script(self) -> str:
        """The table as sfdisk(8) reads it."""
        lines = ["label: gpt", "unit: sectors", f"sector-size: {SECTOR}"]
        for part in self.partitions:
            fields = [f"start={part.offset // SECTOR}", f'type={part.type}, name="{part.label}"']
            if part is not self.partitions[-1]:
                fields.insert(1, f"size={part.size // SECTOR}")
            if part.uuid:
                fields.append(f"uuid={part.uuid}")
            if part.read_only:
                fields.append(f'attrs="{READ_ONLY}"')
            lines.append(", ".join(fields))
        return "\n".join(lines) + "\n"


def parse(data: bytes) -> Layout:
    """The medium's layout.json. Raises UserError."""
    try:
        value = json.loads(data)
        parts = tuple(Partition(**part) for part in value["partitions"])
        known = value["format"] == 1 and bool(parts) and all(isinstance(part.offset, int) for part in parts)
        version = str(value["version"])
    except (ValueError, KeyError, TypeError):
        known, version, parts = False, "", ()
    if not known:
        raise UserError("the installation medium is damaged: nobody can read its layout.json", "write it anew")
    return Layout(version, parts)


@dataclass(frozen=True)
class Disk:
    """A whole disk."""

    device: str
    """/dev/sda"""
    size: int
    model: str = ""
    serial: str = ""
    content: str = ""
    """What is on it, for a person; "": it is blank."""
    in_use: bool = False
    read_only: bool = False
    sector: int = SECTOR

    @property
    def name(self) -> str:
        """What a person has to type before it is erased."""
        return self.serial or self.device

    def describe(self) -> str:
        """In a sentence."""
        words = [human(self.size), self.model, f"serial {self.serial}" if self.serial else "no serial number"]
        return f"{self.device} ({', '.join(word for word in words if word)})"

    def partition(self, number: int) -> str:
        """The device of one of its partitions."""
        return f"{self.device}{'p' if self.device[-1].isdigit() else ''}{number}"


def disks(found: Iterable[Mapping[str, Any]], names: Mapping[str, str], sectors: Mapping[str, int]) -> tuple[Disk, ...]:
    """From what PID 1's program `disks` says of each disk and partition (init.disks.Disk).

    `names`: what blkid knows of a disk that is neither partitioned nor blank, by device; `sectors`: bytes of each.
    """
    rows = list(found)
    result = []
    for row in rows:
        device = str(row["device"])
        if not row["whole"] or not row["size"]:
            continue
        parts = [each for each in rows if not each["whole"] and _belongs(str(each["device"]), device)]
        disk = Disk(
            device,
            int(row["size"]),
            str(row["model"]),
            str(row["serial"]),
            _content(row, parts, names.get(device, "")),
            bool(row["root"]) or any(bool(part["root"]) for part in parts),
            bool(row["read_only"]),
            sectors.get(device, SECTOR),
        )
        result.append(disk)
    return tuple(result)


def _belongs(partition: str, disk: str) -> bool:
    rest = partition.removeprefix(disk)
    return rest != partition and rest.removeprefix("p").isdigit()


def _content(row: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], name: str) -> str:
    if parts:
        labels = [str(part["partition"] or part["label"] or "without a name") for part in parts]
        return f"{len(parts)} partitions: {', '.join(labels)}"
    if row["label"]:
        return f"a file system labelled {row['label']}"
    if row["blank"] and not name:
        return ""
    return name or ("in use" if row["root"] else "something that blkid cannot name")


def choose(found: Sequence[Disk], wanted: str) -> Disk:
    """The disk with that device or serial number. Raises UserError."""
    matching = [disk for disk in found if wanted in (disk.device, disk.device.rpartition("/")[2], disk.serial)]
    if not matching:
        raise UserError(f"there is no disk {wanted}", LIST, ExitCode.USAGE)
    if len(matching) > 1:
        what = f"{len(matching)} disks have the serial number {wanted}"
        raise UserError(what, f"name one by its device: {', '.join(disk.device for disk in matching)}", ExitCode.USAGE)
    return matching[0]


def check(disk: Disk, layout: Layout) -> None:
    """Whether it can be installed on at all. Raises UserError."""
    if disk.in_use:
        raise UserError(f"{disk.describe()} is in use: this machine runs from it, or it is mounted", LIST)
    if disk.read_only:
        raise UserError(f"{disk.describe()} cannot be written to", "unlock it, or choose another")
    if disk.size < layout.needed:
        what = f"{disk.describe()} is too small: {human(layout.needed)} are needed"
        raise UserError(what, "choose a larger disk; a node with Kubernetes wants some gigabytes more")
    if disk.sector != SECTOR:
        what = f"{disk.describe()} has sectors of {disk.sector} bytes, and the image is for {SECTOR}"
        raise UserError(what, "choose another disk, or let this one emulate sectors of 512 bytes (nvme format, hdparm)")


def confirm(disk: Disk, typed: str | None) -> None:
    """Whether that may erase it. Raises UserError: `typed` is None (nobody has said anything), or is another's."""
    if disk.content and typed != disk.name:
        what = f"{disk.describe()} is not blank: {disk.content}"
        if typed is not None:
            what = f"{typed or 'nothing'} is not the serial number of {disk.describe()}, which is not blank"
        raise UserError(what, f"to erase all that is on it, say --erase {disk.name}", ExitCode.USAGE)
