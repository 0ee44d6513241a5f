"""What the logger has kept on this node of deaths and of the boot before (init.contract.crash and boots)."""

import contextlib
from dataclasses import asdict
from typing import Any

from hepto.edge import files
from init.contract import boots, crash, paths
from init.contract.boots import Record
from init.contract.crash import Crash


def crashes(service: str = "", node: str = paths.NODE, volatile: str = paths.CRASHES) -> list[Crash]:
    """The reports of a service's deaths, or of all, oldest first. One that cannot be read is left out."""
    found: dict[str, Crash] = {}
    for directory in (volatile, f"{node}/{crash.BELOW_NODE}"):
        for name in files.names(directory):
            with contextlib.suppress(ValueError, OSError):
                found[name] = crash.decode(files.read(f"{directory}/{name}") or b"")
    wanted = (one for one in found.values() if service in ("", one.service))
    return sorted(wanted, key=lambda one: (one.wall, one.number))


def plain_crashes(service: str = "") -> list[dict[str, Any]]:
    """The same as plain JSON types, with the cause in words."""
    return [{**asdict(one), "cause": one.cause} for one in crashes(service)]


def boot_before(path: str = paths.BOOT_BEFORE) -> dict[str, Any] | None:
    """The boot before, in short, as plain JSON types: when it was, and whether and how it ended. None: there is none.

    Read from memory: it never waits for a disk.
    """
    with contextlib.suppress(ValueError, OSError):
        record = boots.decode(files.read(path) or b"")
        return {**asdict(record), "orderly": record.is_orderly, "end": record.end}
    return None


def record_before(node: str = paths.NODE) -> Record | None:
    """The whole record of the boot before, from the disk."""
    with contextlib.suppress(ValueError, OSError):
        return boots.decode(files.read(f"{node}/{boots.BEFORE_BELOW_NODE}") or b"")
    return None
