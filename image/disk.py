"""The disk image: partitions as systemd-repart's definitions (repart.d(5)), and what is read back from it.

    hepto-esp       ESP (FAT32): systemd-boot, the UKI in EFI/Linux; place for configuration and for a second UKI
    hepto_VERSION   root A: the EROFS of every other format; its identifier is the first half of its root hash
    …_verity        its dm-verity hashes (Merkle tree); its identifier is the second half
    _empty (two)    slot B, for an upgrade; named as systemd-sysupdate names a slot without content
    hepto-data      a MiB without content: the first boot makes it grow to the end of the disk and makes the file system

The types are those of the Discoverable Partitions Specification. Text and values only; making it is image/formats.py's.
"""

import json
import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

from hepto.errors import UserError
from init.contract import paths

ESP_MIB = 512
"""As in mkosi's own definitions: FAT32, and room for two UKIs with any kernel."""
SLOT_MIB = 512
"""Of a root: three times what it takes today. All of it is verified, so it cannot change for disks that are in use."""
VERITY_MIB = 8
"""Hashes of a slot: 32 bytes for each of its blocks of 4 KiB, and those of the hashes."""
EMPTY = "_empty"


class Partition(NamedTuple):
    """A file of definitions: its name without .conf, and the lines of its one section."""

    name: str
    settings: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """As systemd-repart reads it."""
        return "[Partition]\n" + "".join(f"{key}={value}\n" for key, value in self.settings)


TYPES = {
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "root-x86-64": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    "root-x86-64-verity": "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5",
    "linux-generic": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
}
"""What systemd-repart calls them, and how they stand in the table."""


def _size(mebibytes: int) -> tuple[tuple[str, str], ...]:
    return (("SizeMinBytes", f"{mebibytes}M"), ("SizeMaxBytes", f"{mebibytes}M"))


def label(version: str) -> str:
    """Of the root partition of that version; stage 0 counts slots in use by it."""
    return f"hepto_{version}"


def definitions(version: str, root: str, esp: str) -> tuple[Partition, ...]:
    """All partitions in their order. `root` and `esp`: where systemd-repart finds the EROFS and the ESP's files."""
    architecture = "x86-64"
    data, hashes = f"root-{architecture}", f"root-{architecture}-verity"
    slot, tree = (*_size(SLOT_MIB), ("ReadOnly", "yes")), (*_size(VERITY_MIB), ("ReadOnly", "yes"))
    return (
        Partition(
            "10-esp",
            (
                *(("Type", "esp"), ("Label", paths.ESP_LABEL), ("Format", "vfat")),
                *(("CopyFiles", f"{esp}:/"), *_size(ESP_MIB)),
            ),
        ),
        Partition(
            "20-root-a",
            (
                *(("Type", data), ("Label", label(version)), ("CopyBlocks", root)),
                *(("Verity", "data"), ("VerityMatchKey", "root"), *slot),
            ),
        ),
        Partition(
            "21-root-a-verity",
            (
                *(("Type", hashes), ("Label", f"{label(version)}_verity")),
                *(("Verity", "hash"), ("VerityMatchKey", "root"), *tree),
            ),
        ),
        Partition("30-root-b", (("Type", data), ("Label", EMPTY), *slot)),
        Partition("31-root-b-verity", (("Type", hashes), ("Label", EMPTY), *tree)),
        Partition("40-data", (("Type", "linux-generic"), ("Label", paths.DATA_LABEL), *_size(1))),
    )


def seed(built: int) -> str:
    """What systemd-repart derives identifiers and salts from, for nothing of a build may be drawn by lot."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"hepto:disk:{built}"))


@dataclass(frozen=True)
class Made:
    """What systemd-repart says that it has made."""

    roothash: str
    """SHA-256 in hex, of the root of the tree of hashes."""
    partitions: tuple[dict[str, Any], ...]
    """Type, label, identifier, and place and size in bytes of each, for the manifest."""


def parse(output: str) -> Made:
    """The last line of `systemd-repart --json=short`. Raises UserError."""
    lines = [line for line in output.replace("\r", "\n").splitlines() if line.startswith("[{")]
    try:
        rows = json.loads(lines[-1])
        (roothash,) = {row["roothash"] for row in rows if row["roothash"]}
        keys = ("type", "label", "uuid", "offset", "raw_size")
        partitions = tuple({key.removeprefix("raw_"): row[key] for key in keys} for row in rows)
        bytes.fromhex(roothash)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError("systemd-repart did not say what it has made", "is the tree of tools whole?") from error
    return Made(roothash, partitions)
