"""The ISO image: what is on an installation medium, and the commands that make it. Values only.

    the whole       ISO 9660 with Rock Ridge, `hepto/` in it: root.erofs, root.verity, esp.img, layout.json
    partition 2     a FAT file system with the UKI in EFI/BOOT; El Torito names it for CDs, a GPT for sticks

On the medium the root is verified by the same hashes as on a disk. Files end with their last block that is not zeros;
what is behind it in the partition is zeros, too. `hepto install` (hepto/install) reads the layout.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from hepto.errors import UserError
from image import disk
from init.contract import paths
from init.contract.sizes import human

FILE = "hepto.iso"
FOLDER = "hepto"
"""Of the medium."""
LAYOUT = "layout.json"
MODULES = ("loop", "isofs", "dm_zero")
"""What stage 0 always loads for a medium: files as disks, its file system, and the zeros behind the root."""
BLOCK = 4096
LOADER = "EFI/BOOT/BOOTX64.EFI"
"""What firmware starts from any medium."""
ROOM = 1 << 20
"""Bytes of a FAT file system beside its one file."""
MOST = 65_535 * 512
"""Bytes of a boot image: El Torito counts sectors with 16 bits, and the partition lies behind the ISO's own volume."""


class Part(NamedTuple):
    """A partition that is not blank, and its file on the medium."""

    place: int
    """In the table of the disk image."""
    file: str


PARTS = (Part(0, "esp.img"), Part(1, "root.erofs"), Part(2, "root.verity"))


def label(roothash: str) -> str:
    """Of the ISO 9660 file system: stage 0 takes the medium of its own build only."""
    return f"hepto-{roothash[:16]}"


def layout(version: str, made: disk.Made, files: Mapping[str, tuple[int, str]]) -> str:
    """JSON: what a disk is to look like. `files`: size in bytes and SHA-256 of each file of the medium.

    Only the partitions of the root have given identifiers: stage 0 finds them by the root hash.
    """
    names = {part.place: part.file for part in PARTS}
    rows: list[dict[str, Any]] = []
    for index, one in enumerate(made.partitions):
        row = {"type": disk.TYPES[one["type"]], "label": one["label"], "offset": one["offset"], "size": one["size"]}
        if one["type"].startswith("root-"):
            row["read_only"] = True
            if one["label"] != disk.EMPTY:
                row["uuid"] = one["uuid"]
        if index in names:
            size, digest = files[names[index]]
            row |= {"file": names[index], "bytes": size, "sha256": digest}
        rows.append(row)
    assert rows[-1]["label"] == paths.DATA_LABEL, "it takes the rest of the disk"
    value = {"format": 1, "version": version, "roothash": made.roothash, "partitions": rows}
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def fat(image: str, size: int, file: str) -> tuple[tuple[str, ...], ...]:
    """The commands that make a FAT file system with `file` of `size` bytes as its loader. Raises UserError."""
    if size + ROOM + (1 << 20) > MOST:
        what = (
            f"the boot loader of the ISO image has {human(size)}; firmware reads no more than {human(MOST)} from a CD"
        )
        raise UserError(what, "take drivers out of METAL_DISKS (image/profile.py)")
    folders = [f"::{LOADER.split('/')[0]}", f"::{LOADER.rpartition('/')[0]}"]
    kilobytes = -(-(size + ROOM) >> 20) * 1024
    return (
        ("mkfs.vfat", "--invariant", "-C", image, str(kilobytes)),
        ("mmd", "-i", image, *folders),
        ("mcopy", "-m", "-i", image, file, f"::{LOADER}"),
    )


def xorriso(output: str, name: str, esp: str, tree: str) -> tuple[str, ...]:
    """The command that makes the image with volume label `name` of the files below `tree`."""
    return (
        *("xorriso", "-as", "mkisofs", "-iso-level", "3", "-r", "-V", name, "-A", "hepto", "-o", output),
        # findfs passes over a disk that has partitions: on a stick the file system is its first one, too.
        *("-partition_offset", "16"),
        *("-append_partition", "2", disk.TYPES["esp"], esp, "-appended_part_as_gpt"),
        *("-e", "--interval:appended_partition_2:all::", "-no-emul-boot"),
        tree,
    )
