"""Says what takes how much space in an image, by package."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from hepto.errors import UserError
from image.erofs import File

MANIFEST = "manifest.json"


class Row(NamedTuple):
    """A package in the root: bytes when read, bytes in the file system."""

    package: str
    version: str
    installed: int
    compressed: int


def rows(files: Iterable[File], owner: Callable[[str], str], versions: Mapping[str, str]) -> list[Row]:
    """One row for each package, the largest first. A file with several names counts once."""
    sizes: dict[str, tuple[int, int]] = {}
    seen: set[int] = set()
    for file in files:
        if file.number in seen:
            continue
        seen.add(file.number)
        package = owner(file.path)
        installed, compressed = sizes.get(package, (0, 0))
        sizes[package] = (installed + file.size, compressed + file.stored)
    found = [Row(package, versions.get(package, ""), *size) for package, size in sizes.items()]
    return sorted(found, key=lambda row: (-row.compressed, row.package))


def report(directory: Path) -> list[Row]:
    """The rows of the image in this directory, as its manifest has them, and a last one with the sum."""
    if not (directory / MANIFEST).exists():
        raise UserError(f"there is no image in {directory}", "build one with: hepto build")
    try:
        table = [_row(row) for row in json.loads((directory / MANIFEST).read_bytes())["sizes"]]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{directory / MANIFEST} is damaged", "build the image again with: hepto build") from None
    return [*table, Row("sum", "", sum(row.installed for row in table), sum(row.compressed for row in table))]


def _row(value: Mapping[str, object]) -> Row:
    """Raises KeyError, TypeError and ValueError for what is none."""
    return Row(str(value["package"]), str(value["version"]), *(int(str(value[name])) for name in Row._fields[2:]))
