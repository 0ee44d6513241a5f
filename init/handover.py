"""What one generation of PID 1 leaves to the next over exec: a memfd with descriptor numbers, counters, a generation.

Promises: reading never raises: what does not make sense is as if it were not there, since everything can be found out
again (which process is which service from control groups and start times, the phases from boot.json). From generation
`DISTRUST` on nothing but the descriptors is taken over: what has made PID 1 fail twice may be in the rest. Until all is
in use the memfd stays open and goes over another exec like the rest, so that a start that fails can be tried again.
"""

import json
import os
import stat
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from init.contract import status
from init.contract.status import BootStatus
from init.inheritance import Inherited
from init.shutdown import Action

DISTRUST = 2
FIFO, SOCKETS = "fifo/", ("notify", "control")
"""Of the descriptors' names: how those of FIFOs begin, and those of sockets."""


class Handover(NamedTuple):
    """The memfd's content."""

    generation: int = 0
    """How many generations in a row were started because the one before failed; 0 after an exec on request."""
    descriptors: Mapping[str, int] = MappingProxyType({})
    services: Mapping[str, Inherited] = MappingProxyType({})
    action: str = ""
    """A shutdown is under way, to this end."""

    def write(self) -> int:
        """A memfd with all this, close-on-exec still set."""
        value = {
            "generation": self.generation,
            "descriptors": dict(self.descriptors),
            "action": self.action,
            "services": {name: service._asdict() for name, service in self.services.items()},
        }
        descriptor = os.memfd_create("hepto-init", os.MFD_CLOEXEC)
        data = json.dumps(value).encode()
        os.pwrite(descriptor, data, 0)
        return descriptor


def read(descriptor: int, tries: int = 0) -> Handover:
    """The reverse. The memfd stays open for a next try. After `DISTRUST` tries that failed it is not trusted."""
    try:
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        found = parse(json.loads(data))
    except (OSError, OverflowError, ValueError, RecursionError):
        return Handover(generation=DISTRUST)
    if tries >= DISTRUST:
        found = found._replace(generation=max(found.generation, DISTRUST), services={})
    return found


def parse(value: Any) -> Handover:
    """From plain JSON."""
    if not isinstance(value, dict):
        return Handover(generation=DISTRUST)
    generation = value.get("generation")
    if not isinstance(generation, int):
        generation = DISTRUST
    found = value.get("descriptors")
    descriptors = {
        name: number
        for name, number in (found.items() if isinstance(found, dict) else ())
        if isinstance(number, int) and _is_open(name, number)
    }
    action = value.get("action")
    if not isinstance(action, str) or action not in {known.value for known in Action}:
        action = ""
    if generation >= DISTRUST:
        return Handover(generation, descriptors, {}, action)
    found = value.get("services")
    services = {
        name: Inherited(**fields)
        for name, fields in (found.items() if isinstance(found, dict) else ())
        if isinstance(fields, dict) and _makes_sense(fields)
    }
    return Handover(generation, descriptors, services, action)


def _makes_sense(fields: dict[str, Any]) -> bool:
    """True if these are fields of Inherited and of their types."""
    defaults = Inherited()._asdict()
    return all(
        name in defaults and isinstance(value, int | None if name == "started" else type(defaults[name]))
        for name, value in fields.items()
    )


def phases_before(path: str) -> BootStatus | None:
    """The phases as the generation before has published them; None if there is no such file or it makes no sense."""
    try:
        with open(path, "rb") as file:
            return status.load_boot(json.load(file))
    except (OSError, ValueError, RecursionError):
        return None


def _is_open(name: str, descriptor: int) -> bool:
    """True if it is open, and no standard stream; a FIFO or a socket where it is to be one."""
    try:
        mode = os.fstat(descriptor).st_mode
    except (OSError, OverflowError):
        return False
    right = stat.S_ISFIFO if name.startswith(FIFO) else stat.S_ISSOCK if name in SOCKETS else bool
    return descriptor > 2 and bool(right(mode))
