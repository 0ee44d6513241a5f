"""What the agent reads of the machine itself: image, memory, host name."""

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from init.contract import paths


@dataclass(frozen=True, slots=True)
class Image:
    version: str = ""
    built: float | None = None
    """Unix time."""


def image(path: str = paths.IMAGE) -> Image:
    """What the image says of itself; nothing when this is not one."""
    try:
        value = json.loads(Path(path).read_bytes())
        return Image(str(value["version"]), float(value["built"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Image()


@functools.cache
def images_digest(path: str = paths.IMAGES) -> str:
    """SHA-256 of the archive of baked-in images; empty when there is none. It does not change while the image is up."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@functools.cache
def memory_bytes(path: str = "/proc/meminfo") -> int | None:
    """Bytes of memory of the machine."""
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB$", Path(path).read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else None
