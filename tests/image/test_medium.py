"""The ISO image's layout and the commands that make it."""

import json

import pytest

from hepto.errors import UserError
from hepto.install.layout import READ_ONLY, parse
from image import disk, medium

HASH = "0123456789abcdef" * 4
TYPES = ("esp", "root-x86-64", "root-x86-64-verity", "root-x86-64", "root-x86-64-verity", "linux-generic")
LABELS = ("hepto-esp", "hepto_1", "hepto_1_verity", disk.EMPTY, disk.EMPTY, "hepto-data")
MADE = disk.Made(
    HASH,
    tuple(
        {"type": kind, "label": label, "uuid": f"u{index}", "offset": index << 20, "size": 1 << 20}
        for index, (kind, label) in enumerate(zip(TYPES, LABELS, strict=True), start=1)
    ),
)
FILES = {part.file: (4096, f"{part.place}") for part in medium.PARTS}


def test_the_installer_understands_the_layout() -> None:
    layout = parse(medium.layout("1", MADE, FILES).encode())

    assert layout.version == "1"
    assert [part.label for part in layout.partitions] == list(LABELS)
    assert [part.file for part in layout.partitions] == ["esp.img", "root.erofs", "root.verity", "", "", ""]
    assert layout.script.count(READ_ONLY) == 4


def test_only_the_root_has_given_identifiers() -> None:
    """They are halves of the root hash; the others of two machines must not be the same."""
    rows = json.loads(medium.layout("1", MADE, FILES))["partitions"]

    assert [row.get("uuid") for row in rows] == [None, "u2", "u3", None, None, None]


def test_every_type_of_the_disk_has_a_number() -> None:
    kinds = {dict(part.settings)["Type"] for part in disk.definitions("1", "/root", "/esp")}

    assert kinds == set(disk.TYPES)


def test_a_medium_is_named_by_its_root() -> None:
    name = medium.label(HASH)

    assert name == "hepto-0123456789abcdef"
    assert len(name) <= 32, "a volume identifier of ISO 9660 has no more"


def test_the_fat_file_system_has_room_for_its_file() -> None:
    make, _, copy = medium.fat("x.img", (10 << 20) + 1, "x.efi")

    assert int(make[-1]) == 12 * 1024
    assert copy[-1] == "::EFI/BOOT/BOOTX64.EFI"


def test_what_firmware_would_cut_off_is_refused() -> None:
    """It was: a file system of 38 MiB was not found on a CD, for its size did not fit into the catalogue."""
    medium.fat("x.img", 29 << 20, "x.efi")

    with pytest.raises(UserError, match="no more than 32.0 MiB from a CD"):
        medium.fat("x.img", 32 << 20, "x.efi")


def test_firmware_finds_it_on_cds_and_on_sticks() -> None:
    words = medium.xorriso("x.iso", "label", "esp.img", "tree")

    assert "-appended_part_as_gpt" in words
    assert words[words.index("-partition_offset") + 1] == "16"
    assert words[words.index("-e") + 1] == "--interval:appended_partition_2:all::"
    assert words[-1] == "tree"
