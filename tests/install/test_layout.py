"""What a medium's layout means, and which disks may be written to."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hepto.errors import ExitCode, UserError
from hepto.install.layout import LEAST_DATA, MIB, Disk, Layout, Partition, check, choose, confirm, disks, parse
from init import disks as init_disks

ROOT = Partition("ROOT-TYPE", "hepto_1", 2 * MIB, 4 * MIB, "1-2", True, "root.erofs", 10, "00")
LAYOUT = Layout("1", (Partition("ESP-TYPE", "hepto-esp", MIB, MIB), ROOT, Partition("D", "hepto-data", 6 * MIB, MIB)))
DISK = Disk("/dev/sda", 200 * MIB, "Fast 500", "S1")
FULL = replace(DISK, content="xfs")


def row(device: str, **fields: Any) -> dict[str, Any]:
    """As PID 1's program gives it."""
    whole = {"device": device, "size": 100, "model": "", "serial": "", "whole": True, "root": False}
    return {**whole, "read_only": False, "label": "", "blank": False, "partition": "", "content": "", **fields}


def test_the_table_is_written_in_sectors_and_the_last_partition_takes_the_rest() -> None:
    assert LAYOUT.script.splitlines() == [
        "label: gpt",
        "unit: sectors",
        "sector-size: 512",
        'start=2048, size=2048, type=ESP-TYPE, name="hepto-esp"',
        'start=4096, size=8192, type=ROOT-TYPE, name="hepto_1", uuid=1-2, attrs="GUID:60"',
        'start=12288, type=D, name="hepto-data"',
    ]


def test_a_layout_is_read_as_it_was_written() -> None:
    data = json.dumps({"format": 1, "version": "1", "partitions": [vars(part) for part in LAYOUT.partitions]})

    assert parse(data.encode()) == LAYOUT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "version": "1", "partitions": []}'])
def test_a_damaged_one_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="medium is damaged"):
        parse(text.encode())


def test_the_room_for_data_is_what_pid_1_wants() -> None:
    assert init_disks.LEAST == LEAST_DATA


def test_what_is_on_disks_is_told_by_partitions_labels_and_blkid() -> None:
    rows = [
        row("/dev/sda", model="Fast 500", serial="S1", content="partitions"),
        row("/dev/sda1", whole=False, partition="hepto-esp"),
        row("/dev/sda2", whole=False),
        row("/dev/nvme0n1", blank=True),
        row("/dev/nvme1n1", content="partitions"),
        row("/dev/nvme1n1p1", whole=False, label="backup", root=True),
        row("/dev/vda", label="hepto-data"),
        row("/dev/vdb"),
        row("/dev/vdc"),
        row("/dev/vdd", size=0),
    ]

    found = {disk.device: disk for disk in disks(rows, {"/dev/vdc": "xfs labelled x"}, {"/dev/vdc": 4096})}

    assert {device: disk.content for device, disk in found.items()} == {
        "/dev/sda": "2 partitions: hepto-esp, without a name",
        "/dev/nvme0n1": "",
        "/dev/nvme1n1": "1 partitions: backup",
        "/dev/vda": "a file system labelled hepto-data",
        "/dev/vdb": "something that blkid cannot name",
        "/dev/vdc": "xfs labelled x",
    }
    assert [device for device, disk in found.items() if disk.in_use] == ["/dev/nvme1n1"]
    assert (found["/dev/sda"].model, found["/dev/sda"].serial, found["/dev/vdc"].sector) == ("Fast 500", "S1", 4096)


def test_partitions_are_named_as_the_kernel_does() -> None:
    assert Disk("/dev/sda", 1).partition(1) == "/dev/sda1"
    assert Disk("/dev/nvme0n1", 1).partition(2) == "/dev/nvme0n1p2"


@pytest.mark.parametrize("wanted", ["/dev/sda", "sda", "S1"])
def test_a_disk_is_chosen_by_device_or_serial_number(wanted: str) -> None:
    assert choose([Disk("/dev/sdb", 1, serial="S2"), DISK], wanted) == DISK


@pytest.mark.parametrize(("wanted", "what"), [("sdc", "no disk sdc"), ("S1", "2 disks have the serial number S1")])
def test_one_that_is_not_there_or_not_alone_is_refused(wanted: str, what: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        choose([DISK, replace(DISK, device="/dev/sdb")], wanted)

    assert caught.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("disk", "what"),
    [
        (replace(DISK, in_use=True), "is in use"),
        (replace(DISK, read_only=True), "cannot be written to"),
        (replace(DISK, size=LAYOUT.needed - 1), "is too small: 71.0 MiB are needed"),
        (replace(DISK, sector=4096), "has sectors of 4096 bytes"),
    ],
)
def test_a_disk_that_will_not_do_is_refused(disk: Disk, what: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        check(disk, LAYOUT)

    assert "/dev/sda (" in caught.value.what


def test_the_smallest_disk_will_do() -> None:
    check(replace(DISK, size=LAYOUT.needed), LAYOUT)


@pytest.mark.parametrize("typed", [None, "", "S2", "/dev/sda", "s1"])
def test_without_its_serial_number_a_disk_with_something_on_it_is_not_erased(typed: str | None) -> None:
    with pytest.raises(UserError, match="is not blank") as caught:
        confirm(FULL, typed)

    assert "--erase S1" in caught.value.hint


def test_with_it_it_is_and_a_blank_one_needs_none() -> None:
    confirm(FULL, "S1")
    confirm(DISK, None)
    confirm(replace(FULL, serial=""), "/dev/sda")
