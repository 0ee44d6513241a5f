"""Which disk the root is on, on a made-up sysfs."""

import os
from pathlib import Path

from init import rootdisk
from init.rootdisk import Partition
from tests.fakes.blockdevices import MIB, boot_disk, device


def test_the_partitions_beside_a_verified_root_are_found_by_name(tmp_path: Path) -> None:
    boot_disk(tmp_path, 100 * MIB, 2 * MIB)

    assert [part.name for part in rootdisk.partitions(str(tmp_path))] == [
        *("hepto-esp", "hepto_1", "hepto_1_verity", "_empty", "_empty", "hepto-data")
    ]
    assert rootdisk.named("hepto-data", str(tmp_path)) == Partition(
        "/dev/vda6", "/dev/vda", "hepto-data", 6, start=6 * MIB, size=2 * MIB, disk_size=100 * MIB
    )
    assert rootdisk.named("absent", str(tmp_path)) is None


def test_what_follows_a_partition_is_room(tmp_path: Path) -> None:
    boot_disk(tmp_path, 100 * MIB, 2 * MIB)
    part = rootdisk.named("hepto-data", str(tmp_path))

    assert part is not None
    assert part.room == 92 * MIB


def test_a_root_without_a_disk_or_on_a_whole_one_has_no_partitions_beside_it(tmp_path: Path) -> None:
    assert rootdisk.partitions(str(tmp_path)) == ()

    device(tmp_path, "vda")
    own = tmp_path.stat().st_dev
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    (tmp_path / "sys/devices/vda/slaves").mkdir()
    (tmp_path / f"sys/dev/block/{os.major(own)}:{os.minor(own)}").symlink_to(tmp_path / "sys/devices/vda")
    assert rootdisk.partitions(str(tmp_path)) == ()


def test_a_partition_of_a_table_without_names_has_none(tmp_path: Path) -> None:
    device(tmp_path, "vda1", disk="vda")

    assert rootdisk.name_of(str(tmp_path / "sys/devices/vda/vda1")) == ""
