"""The decision about the data disk: never formats what is not provably empty, never uses memory where a disk might be
meant."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.disks import Decision, Disk, Format, Memory, Mount, Refuse, decide

MIB, GIB = 1024**2, 1024**3
ROOT = Disk("/dev/vda", GIB, root=True, content="in use")
BLANK = Disk("/dev/vdb", 20 * GIB, serial="AAA", blank=True)
BLANK2 = Disk("/dev/vdc", 20 * GIB, serial="BBB", blank=True)
DATA = Disk("/dev/vdd", 20 * GIB, serial="CCC", label="hepto-data", content="ext")
DATA2 = Disk("/dev/vde1", 20 * GIB, serial="DDD", whole=False, label="hepto-data", content="ext")
FOREIGN = Disk("/dev/vdf", 20 * GIB, serial="EEE", content="xfs")
DIRTY = Disk("/dev/vdg", 20 * GIB, serial="FFF")
SIGNED = replace(BLANK, device="/dev/vdh", content="btrfs")
UNFINISHED = Disk("/dev/vdh", 20 * GIB, serial="GGG", unfinished=True, content="ext4 labelled hepto-data")
CDROM = Disk("/dev/vdi", GIB, read_only=True, content="iso9660")
EMPTY_DRIVE = Disk("/dev/vdj", 0)
OWN = Disk("/dev/vda6", 20 * GIB, serial="BOOT", whole=False, partition="hepto-data", blank=True)


@pytest.mark.parametrize(
    ("disks", "expected"),
    [
        ((ROOT, DATA), Mount(DATA)),
        ((ROOT, BLANK, DATA), Mount(DATA)),
        ((ROOT, FOREIGN, DATA2), Mount(DATA2)),
        ((ROOT, BLANK), Format(BLANK)),
        ((ROOT, BLANK, FOREIGN, DIRTY, CDROM, EMPTY_DRIVE), Format(BLANK)),
        ((ROOT, UNFINISHED), Format(UNFINISHED)),
        ((ROOT, UNFINISHED, BLANK, FOREIGN), Format(UNFINISHED)),
        ((UNFINISHED, DATA), Mount(DATA)),
        ((ROOT, OWN), Format(OWN)),
        ((ROOT, OWN, BLANK, BLANK2, FOREIGN), Format(OWN)),
        ((ROOT, OWN, DATA), Mount(DATA)),
        ((ROOT, replace(OWN, blank=False, unfinished=True)), Format(replace(OWN, blank=False, unfinished=True))),
        ((ROOT,), Memory(ordered=False)),
        ((), Memory(ordered=False)),
        ((ROOT, CDROM, EMPTY_DRIVE), Memory(ordered=False)),
    ],
    ids=lambda value: "+".join(disk.device[-4:] for disk in value) if isinstance(value, tuple) else "",
)
def test_decision(disks: tuple[Disk, ...], expected: Decision) -> None:
    assert decide(disks) == expected


@pytest.mark.parametrize(
    ("disks", "wanted", "says"),
    [
        ((BLANK, BLANK2), "", "2 disks are blank: /dev/vdb (20.0 GiB, serial AAA, blank); /dev/vdc"),
        ((OWN, replace(OWN, device="/dev/vdb6")), "", "2 partitions are named hepto-data"),
        ((replace(OWN, blank=False),), "", "the partition hepto-data is neither blank nor labelled so: /dev/vda6"),
        ((replace(OWN, size=MIB),), "", "the disk is too small: 1.0 MiB are left for hepto-data, and 64.0 MiB are"),
        ((replace(OWN, size=MIB), BLANK), "BOOT", "the disk is too small"),
        ((FOREIGN,), "", "no disk is blank or labelled hepto-data: /dev/vdf (20.0 GiB, serial EEE, xfs)"),
        ((DIRTY,), "", "unknown content"),
        ((SIGNED,), "", "btrfs"),
        ((DATA, DATA2), "", "2 file systems are labelled hepto-data"),
        ((BLANK,), "ZZZ", "no disk has the serial number ZZZ; there is /dev/vdb"),
        ((ROOT,), "ZZZ", "there is none at all"),
        ((FOREIGN, DATA), "EEE", "disk EEE is neither blank nor labelled"),
        ((replace(DATA, serial="X"), replace(DATA2, serial="X")), "X", "disk X has 2 file systems labelled"),
        ((replace(ROOT, serial="R"),), "R", "neither blank"),
        ((replace(BLANK, read_only=True),), "AAA", "neither blank"),
    ],
)
def test_what_cannot_be_decided_is_listed(disks: tuple[Disk, ...], wanted: str, says: str) -> None:
    decision = decide(disks, wanted)

    assert isinstance(decision, Refuse)
    assert says in decision.what
    assert decision.hint
    assert decision.subject == wanted


@pytest.mark.parametrize(
    ("disks", "wanted", "expected"),
    [
        ((BLANK, BLANK2), "BBB", Format(BLANK2)),
        ((DATA, DATA2), "DDD", Mount(DATA2)),
        ((BLANK, DATA), "AAA", Format(BLANK)),
        ((UNFINISHED, DATA), "GGG", Format(UNFINISHED)),
        ((Disk("/dev/vde", GIB, serial="DDD", content="partitions"), DATA2), "DDD", Mount(DATA2)),
        ((DATA,), "memory", Memory(ordered=True)),
        ((BLANK, BLANK2), "memory", Memory(ordered=True)),
    ],
)
def test_the_operator_decides_between_several(disks: tuple[Disk, ...], wanted: str, expected: Decision) -> None:
    assert decide(disks, wanted) == expected


DISKS = st.builds(
    Disk,
    device=st.sampled_from(["/dev/sda", "/dev/sdb", "/dev/sdb1"]),
    size=st.sampled_from([0, GIB]),
    serial=st.sampled_from(["", "S", "T"]),
    whole=st.booleans(),
    root=st.booleans(),
    read_only=st.booleans(),
    label=st.sampled_from(["", "hepto-data", "other"]),
    blank=st.booleans(),
    content=st.sampled_from(["", "ext", "partitions"]),
)
WANTED = st.sampled_from(["", "S", "nowhere"])


@given(st.lists(DISKS, max_size=4).map(tuple), WANTED)
def test_only_an_empty_whole_disk_is_ever_formatted(disks: tuple[Disk, ...], wanted: str) -> None:
    match decide(disks, wanted):
        case Format(disk):
            assert disk.blank
            assert disk.whole
            assert (disk.root, disk.read_only, disk.label, disk.content) == (False, False, "", "")
        case Mount(disk):
            assert disk.label == "hepto-data"


@given(st.lists(DISKS, max_size=4).map(tuple), WANTED)
def test_memory_is_never_taken_where_a_disk_could_be_meant(disks: tuple[Disk, ...], wanted: str) -> None:
    if isinstance(decide(disks, wanted), Memory):
        assert wanted == ""
        assert not any(disk.label == "hepto-data" for disk in disks)
        assert not any(disk.whole and disk.size and not disk.root and not disk.read_only for disk in disks)


@given(st.lists(DISKS, max_size=4).map(tuple), WANTED)
def test_the_order_of_disks_changes_no_decision(disks: tuple[Disk, ...], wanted: str) -> None:
    backwards = decide(disks[::-1], wanted)

    assert type(decide(disks, wanted)) is type(backwards)
    if isinstance(backwards, Format | Mount | Memory):
        assert decide(disks, wanted) == backwards
