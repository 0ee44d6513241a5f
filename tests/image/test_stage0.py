"""The archives of stage 0, from a made-up tree."""

import struct
from pathlib import Path

import pytest

from image import spec, stage0

KERNEL = "6.12"
DEPENDENCIES = """\
kernel/virtio_blk.ko:
kernel/erofs.ko: kernel/crc.ko
kernel/crc.ko:
kernel/dm-mod.ko:
kernel/dm-verity.ko: kernel/dm-mod.ko
kernel/scsi_mod.ko:
kernel/sd_mod.ko: kernel/scsi_mod.ko
kernel/loop.ko:
kernel/sound.ko:
"""
ALIASES = "# comment\nalias scsi:t-0x00* sd_mod\nalias pci:v1* sound\nalias virtio:d2* virtio_blk\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "usr/lib/modules" / KERNEL
    (folder / "kernel").mkdir(parents=True)
    (folder / "modules.dep").write_text(DEPENDENCIES)
    (folder / "modules.alias").write_text(ALIASES)
    for line in DEPENDENCIES.splitlines():
        (folder / line.partition(":")[0]).write_text(line)
    for name in ("usr/bin/busybox", *spec.VERITY_PROGRAMS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"program")
    libraries = tmp_path / spec.LIBRARIES
    libraries.mkdir(parents=True)
    (libraries / "libgcc_s.so.1").write_bytes(b"library")
    return tmp_path


def files(archive: bytes) -> dict[str, bytes]:
    """Name -> content, of a cpio archive."""
    found, at = {}, 0
    while archive[at : at + 6] == b"070701":
        fields = [int(archive[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        size, length = fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        start = at + 110 + length + -(110 + length) % 4
        found[name] = archive[start : start + size]
        at = start + size + -size % 4
    assert struct.calcsize("I") == 4
    return found


def test_the_plain_one_loads_what_the_root_needs_in_an_order_that_works(root: Path) -> None:
    found = files(stage0.plain(root, KERNEL))

    assert found["modules/order"] == b"virtio_blk.ko\ncrc.ko\nerofs.ko\n"
    assert found["init"].startswith(b"#!/bin/busybox sh")
    assert "modules/dm-verity.ko" not in found


def test_what_a_verified_root_adds_repeats_only_the_list(root: Path) -> None:
    plain, found = files(stage0.plain(root, KERNEL)), files(stage0.verified(root, root, KERNEL))

    same = {name for name in plain.keys() & found.keys() if plain[name] or found[name]}
    assert same == {"modules/order"}
    assert found["modules/order"] == b"virtio_blk.ko\ncrc.ko\nerofs.ko\ndm-mod.ko\ndm-verity.ko\n"
    assert set(spec.VERITY_PROGRAMS) <= set(found)


def test_modprobe_knows_the_drivers_of_disks_and_no_others(root: Path) -> None:
    found = files(stage0.verified(root, root, KERNEL))

    assert found[f"lib/modules/{KERNEL}/modules.alias"] == b"alias scsi:t-0x00* sd_mod\n"
    assert found[f"lib/modules/{KERNEL}/modules.dep"] == (
        b"kernel/scsi_mod.ko: \nkernel/sd_mod.ko: kernel/scsi_mod.ko\n"
    )
    assert f"lib/modules/{KERNEL}/kernel/sd_mod.ko" in found


def test_a_profile_adds_drivers_of_its_own(root: Path) -> None:
    found = files(stage0.verified(root, root, KERNEL, ("sound",)))

    assert b"alias pci:v1* sound\n" in found[f"lib/modules/{KERNEL}/modules.alias"]
    assert f"lib/modules/{KERNEL}/kernel/sound.ko" in found


def test_the_root_is_stored_as_it_is(root: Path) -> None:
    (root / "root.erofs").write_bytes(b"EROFS")

    found = files(stage0.embedded(root / "root.erofs", root, KERNEL))

    assert found["root.erofs"] == b"EROFS"
    assert "modules/loop.ko" in found
