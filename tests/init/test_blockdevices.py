"""What is on block devices, on a made-up sysfs with files for devices."""

from pathlib import Path

import pytest

from init import blockdevices
from init.disks import Disk
from tests.fakes.blockdevices import MIB, device, ext


def scan(root: Path) -> dict[str, Disk]:
    return {disk.device: disk for disk in blockdevices.parse(blockdevices.probe(str(root)))}


def test_a_disk_of_zeros_is_blank(tmp_path: Path) -> None:
    device(tmp_path, "vdb", serial="S1 ")

    assert scan(tmp_path) == {"/dev/vdb": Disk("/dev/vdb", 4 * MIB, serial="S1", blank=True)}


@pytest.mark.parametrize("at", [0, 511, MIB - 1, 3 * MIB, 4 * MIB - 1])
def test_a_single_byte_in_the_first_or_last_mib_makes_it_not_blank(tmp_path: Path, at: int) -> None:
    device(tmp_path, "vdb", bytes(at) + b"x")

    assert not scan(tmp_path)["/dev/vdb"].blank


def test_a_disk_smaller_than_a_mib_is_looked_at_as_a_whole(tmp_path: Path) -> None:
    device(tmp_path, "vdb", bytes(5000), size=8192)
    device(tmp_path, "vdc", bytes(5000) + b"x", size=8192)

    found = scan(tmp_path)

    assert found["/dev/vdb"].blank
    assert not found["/dev/vdc"].blank


def test_a_label_is_read_from_disks_and_partitions(tmp_path: Path) -> None:
    device(tmp_path, "vda", b"x", serial="A")
    device(tmp_path, "vda1", ext("hepto-data"), disk="vda")
    device(tmp_path, "vdb", ext("sixteen-letters!"))

    found = scan(tmp_path)

    assert found["/dev/vda1"] == Disk("/dev/vda1", 4 * MIB, serial="A", whole=False, label="hepto-data", content="ext")
    assert found["/dev/vdb"].label == "sixteen-letters!"
    assert found["/dev/vda"].content == "partitions"


def test_a_partitioned_disk_is_not_blank_even_if_its_edges_are_zeros(tmp_path: Path) -> None:
    device(tmp_path, "vda")
    device(tmp_path, "vda1", disk="vda")

    found = scan(tmp_path)

    assert [disk.blank for disk in found.values()] == [False, False]


def test_what_is_no_disk_is_passed_over(tmp_path: Path) -> None:
    for name in ("loop0", "ram0", "zram0", "dm-0", "md127", "sr0", "fd0"):
        device(tmp_path, name)

    assert scan(tmp_path) == {}
    assert blockdevices.names(str(tmp_path)) == frozenset()


def test_a_read_only_disk_and_one_without_a_medium_are_told(tmp_path: Path) -> None:
    device(tmp_path, "vdb", read_only=True)
    device(tmp_path, "vdc", size=0)

    found = scan(tmp_path)

    assert found["/dev/vdb"].read_only
    assert found["/dev/vdc"] == Disk("/dev/vdc", 0)


def test_a_disk_that_vanishes_is_left_out(tmp_path: Path) -> None:
    device(tmp_path, "vdb").unlink()
    device(tmp_path, "vdc")

    assert list(scan(tmp_path)) == ["/dev/vdc"]


def test_the_serial_number_of_a_scsi_disk_comes_from_its_page(tmp_path: Path) -> None:
    device(tmp_path, "sda")
    (place := tmp_path / "sys/devices/sda/device").mkdir()
    (place / "vpd_pg80").write_bytes(b"\x00\x80\x00\x08 WD-1234")

    assert scan(tmp_path)["/dev/sda"].serial == "WD-1234"


def test_a_machine_without_disks_has_none(tmp_path: Path) -> None:
    assert scan(tmp_path) == {}


@pytest.mark.parametrize(
    ("code", "output", "content"),
    [
        (2, b"", ""),
        (0, b"DEVNAME=/dev/vdb\nTYPE=xfs\nUSAGE=filesystem\n", "xfs"),
        (0, b"TYPE=ext4\nLABEL=data\n", "ext4 labelled data"),
        (0, b"PTUUID=1\nPTTYPE=gpt\n", "partition table gpt"),
        (8, b"ambivalent", "something that blkid cannot name (exit code 8)"),
        (137, b"", "something that blkid cannot name (exit code 137)"),
        (2, b"TYPE=what", "what"),
        (0, b"", "something that blkid cannot name (exit code 0)"),
    ],
)
def test_only_a_clear_no_of_blkid_counts_as_nothing(code: int, output: bytes, content: str) -> None:
    assert blockdevices.content_of(code, output) == content


def test_a_disk_that_hepto_was_formatting_says_so_whatever_else_is_on_it(tmp_path: Path) -> None:
    for name, content in (("vdb", b""), ("vdc", ext("hepto-data"))):
        path = device(tmp_path, name, content, size=16 * MIB)
        blockdevices.mark_unfinished(str(path), 16 * MIB, unfinished=True)

    assert [(disk.unfinished, disk.label, disk.blank) for disk in scan(tmp_path).values()] == [(True, "", False)] * 2

    for name in ("vdb", "vdc"):
        blockdevices.mark_unfinished(str(tmp_path / "dev" / name), 16 * MIB, unfinished=False)

    assert [(disk.unfinished, disk.label, disk.blank) for disk in scan(tmp_path).values()] == [
        (False, "", True),
        (False, "hepto-data", False),
    ]


def test_a_small_disk_and_a_partition_are_not_marked(tmp_path: Path) -> None:
    small = device(tmp_path, "vdb", size=4 * MIB)
    blockdevices.mark_unfinished(str(small), 4 * MIB, unfinished=True)
    assert not any(small.read_bytes())

    device(tmp_path, "vdc", size=16 * MIB)
    path = device(tmp_path, "vdc1", size=16 * MIB, disk="vdc")
    blockdevices.mark_unfinished(str(path), 16 * MIB, unfinished=True)
    assert not scan(tmp_path)["/dev/vdc1"].unfinished


@pytest.mark.parametrize("size", [8 * MIB, 64 * MIB + 512, 20 * 1024 * MIB + 4096 * 3])
def test_the_mark_is_outside_of_what_has_to_be_blank_and_on_whole_blocks(size: int) -> None:
    place = blockdevices.unfinished_place(size)

    assert place % 4096 == 0
    assert MIB <= place <= size - MIB - len(blockdevices.UNFINISHED)


def test_the_partition_for_the_data_is_looked_at_like_a_disk_but_for_its_end(tmp_path: Path) -> None:
    content = bytes(3 * MIB) + b"left of another use"
    device(tmp_path, "vda", b"x")
    device(tmp_path, "vda1", content, disk="vda", label="hepto-data")
    device(tmp_path, "vda2", content, disk="vda", label="other")

    found = scan(tmp_path)

    assert [found[f"/dev/vda{number}"].reserved for number in (1, 2)] == [True, False]
    assert [found[f"/dev/vda{number}"].blank for number in (1, 2)] == [True, False]


@pytest.mark.parametrize(
    ("fields", "size"),
    [({}, 0), ({0x4: 256, 0x18: 2}, MIB), ({0x4: 1, 0x18: 2, 0x150: 1}, ((1 << 32) + 1) * 4096), ({0x18: 99}, 0)],
    ids=["none", "4 KiB blocks", "more than 32 bits", "garbage"],
)
def test_a_superblock_tells_how_much_its_file_system_takes(fields: dict[int, int], size: int) -> None:
    block = bytearray(1024)
    for at, value in fields.items():
        block[at : at + 4] = value.to_bytes(4, "little")

    assert blockdevices.filled(bytes(block)) == size
