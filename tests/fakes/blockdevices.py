"""A sysfs and /dev made of files, with disks and partitions as init.blockdevices looks for them."""

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
) -> Path:
    """Add a disk, or with `disk` a partition of it, whose bytes are `content` and then zeros."""
    place = root / "sys/devices" / disk / name
    place.mkdir(parents=True)
    (place / "size").write_text(f"{size // 512}\n")
    (place / "ro").write_text(f"{int(read_only)}\n")
    if disk:
        (place / "partition").write_text("1\n")
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
