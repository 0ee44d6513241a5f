"""A sysfs and /dev made of files, with disks and partitions as init.blockdevices and init.rootdisk look for them."""

import os
from pathlib import Path

MIB = 1024 * 1024


def device(
    root: Path,
    name: str,
    content: bytes = b"",
    size: int = 4 * MIB,
    *,
    disk: str = "",
    serial: str = "",
    read_only: bool = False,
    label: str = "",
    start: int = 0,
) -> Path:
    """Add a disk, or with `disk` a partition of it, whose bytes are `content` and then zeros."""
    place = root / "sys/devices" / disk / name
    place.mkdir(parents=True)
    (place / "size").write_text(f"{size // 512}\n")
    (place / "ro").write_text(f"{int(read_only)}\n")
    if disk:
        (place / "partition").write_text(f"{name.removeprefix(disk)}\n")
        (place / "start").write_text(f"{start // 512}\n")
        (place / "uevent").write_text(f"DEVNAME={name}\n" + (f"PARTNAME={label}\n" if label else ""))
    elif serial:
        (place / "serial").write_text(serial)
    (listing := root / "sys/class/block").mkdir(parents=True, exist_ok=True)
    (listing / name).symlink_to(place)
    (root / "dev").mkdir(exist_ok=True)
    path = root / "dev" / name
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def ext(label: str) -> bytes:
    """The start of an ext4 file system."""
    block = bytearray(1024)
    block[0x38:0x3A] = b"\x53\xef"
    block[0x78 : 0x78 + len(label)] = label.encode()
    return bytes(1024) + bytes(block)


def boot_disk(root: Path, size: int, data: int, *labels: str) -> Path:
    """The disk that the machine was started from, vda: an image's partitions, the last of `data` bytes. Returns that.

    The root is device-mapper's over the second and third, as the numbers of `root`'s own device say.
    """
    device(root, "vda", b"EFI PART", size, serial="BOOT")
    names = labels or ("hepto-esp", "hepto_1", "hepto_1_verity", "_empty", "_empty", "hepto-data")
    path, start = root, MIB
    for number, label in enumerate(names, start=1):
        length = data if label == "hepto-data" else MIB
        path = device(root, f"vda{number}", size=length, disk="vda", label=label, start=start)
        start += length
    place = root / "sys/devices/virtual/dm-0"
    (place / "slaves").mkdir(parents=True)
    for number in (2, 3):
        (place / f"slaves/vda{number}").symlink_to(root / f"sys/devices/vda/vda{number}")
    (root / "sys/dev/block").mkdir(parents=True)
    own = root.stat().st_dev
    (root / f"sys/dev/block/{os.major(own)}:{os.minor(own)}").symlink_to(place)
    return path
