"""The test files of age's own suite (tests/vectors/age), and files that the program `age` has made."""

import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).parent.parent / "vectors/age"


class AgeFile(NamedTuple):
    """What is said of a file, and the file."""

    name: str
    said: dict[str, str]
    data: bytes


@cache
def load() -> tuple[AgeFile, ...]:
    """All of them."""
    return tuple(_read(path) for path in sorted(DIRECTORY.iterdir()) if path.suffix != ".md")


def _read(path: Path) -> AgeFile:
    head, _, data = path.read_bytes().partition(b"\n\n")
    said = dict(line.split(": ", 1) for line in head.decode().splitlines())
    if said.get("compressed") == "zlib":
        data = zlib.decompress(data)
    return AgeFile(path.name, said, data)
