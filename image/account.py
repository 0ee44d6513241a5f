"""Says whose each byte of an image's files is: files in, rows out, and the rows of a file sum to its size.

What no file of a package takes has rows of its own: the file system's metadata (inodes, indexes, directories), and a
remainder that cannot be attributed (superblock, padding).
"""

import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from image.erofs import File
from image.initrd import Entry

KERNEL, MODULES, STACK, PYTHON, OURS = "kernel", "kernel modules", "Kubernetes stack", "Python", "hepto"
IMAGES, PACKAGES, METADATA, REMAINDER = "container images", "other packages", "metadata", "remainder"
PARTS = (STACK, MODULES, PYTHON, PACKAGES, KERNEL, OURS, IMAGES, METADATA, REMAINDER)


class Row(NamedTuple):
    """What a package, or a piece of a large one, takes in one file of the image: bytes when read, bytes in the file."""

    file: str
    part: str
    package: str
    piece: str
    version: str
    installed: int
    compressed: int


def part_of(package: str) -> str:
    """The part of the image that a package belongs to."""
    names = {"stack": STACK, "hepto": OURS, IMAGES: IMAGES}
    if package.startswith(("python3", "libpython3")):
        return PYTHON
    return names.get(package) or (MODULES if package.startswith("linux-image") else PACKAGES)


def piece_of(path: str, package: str) -> str:
    """The piece of a large package: the kernel's folder of a module, the name of a binary of the stack; else ""."""
    if package == "stack":
        return PurePosixPath(path).name
    if package.startswith("linux-image") and path.endswith(".ko"):
        return "/".join(path.partition("/kernel/")[2].split("/")[:-1][:2]) or "stage 0"
    return ""


def root_rows(name: str, size: int, files: Iterable[File], owner: Callable[[str], str]) -> list[Row]:
    """The rows of an EROFS of `size` bytes: one for each package. A file with several names counts once."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    seen: set[int] = set()
    metadata = 0
    for file in files:
        if file.number in seen:
            continue
        seen.add(file.number)
        metadata += file.overhead
        if stat.S_ISDIR(file.mode):
            metadata += file.stored
            continue
        package = owner(file.path)
        key = (package, piece_of(file.path, package))
        installed, compressed = sums.get(key, (0, 0))
        sums[key] = (installed + file.size, compressed + file.stored)
    return _rows(name, size, sums, {"inodes, indexes, directories": metadata})


def initrd_rows(name: str, size: int, entries: Iterable[Entry], owner: Callable[[str], str]) -> list[Row]:
    """The rows of an uncompressed cpio archive of `size` bytes."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in entries:
        if entry.content:
            package = owner(entry.path)
            key = (package, piece_of(entry.path, package))
            installed, compressed = sums.get(key, (0, 0))
            sums[key] = (installed + len(entry.content), compressed + len(entry.content))
    return _rows(name, size, sums, {})


def whole(name: str, size: int, part: str, package: str) -> list[Row]:
    """The row of a file that is one thing."""
    return [Row(name, part, package, "", "", size, size)]


def _rows(
    name: str, size: int, sums: Mapping[tuple[str, str], tuple[int, int]], metadata: Mapping[str, int]
) -> list[Row]:
    rows = [Row(name, part_of(package), package, piece, "", *sizes) for (package, piece), sizes in sums.items()]
    rows += [Row(name, METADATA, words, "", "", 0, taken) for words, taken in metadata.items()]
    rest = size - sum(row.compressed for row in rows)
    return [*rows, Row(name, REMAINDER, "headers, padding", "", "", 0, rest)]


def finished(rows: Iterable[Row], versions: Mapping[str, str]) -> list[Row]:
    """The rows with their packages' versions, the largest first."""
    named = (row._replace(version=versions.get(row.package, "")) for row in rows)
    return sorted(named, key=lambda row: (-row.compressed, row[:4]))


def stage0_owner(owners: Mapping[str, str], kernel: str) -> Callable[[str], str]:
    """Whose a file of stage 0 is: it has the name of the same file in the root, modules are the kernel's, the rest is
    ours.
    """
    by_name = {PurePosixPath(path).name: package for path, package in owners.items()}

    def owner(path: str) -> str:
        name = PurePosixPath(path).name
        return f"linux-image-{kernel}" if name.endswith(".ko") else by_name.get(name, "hepto")

    return owner
