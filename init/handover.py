"""What one generation of PID 1 leaves to the next over exec: a memfd with descriptor numbers, counters, a generation.

Promises: reading never raises: what does not make sense is as if it were not there, since everything can be found out
again (which process is which service from control groups and start times, the phases from boot.json). From generation
`DISTRUST` on nothing but the descriptors is taken over: what has made PID 1 fail twice may be in the rest.
"""

import json
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from init.supervisor import Inherited

DISTRUST = 2
MAX_BYTES = 1 << 20


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


def read(descriptor: int) -> Handover:
    """The reverse. Closes the memfd."""
    try:
        data = os.pread(descriptor, MAX_BYTES, 0)
        os.close(descriptor)
        value = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return Handover(generation=DISTRUST)
    return parse(value)


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
        if isinstance(number, int) and _is_open(number)
    }
    action = value.get("action")
    action = action if isinstance(action, str) else ""
    if generation >= DISTRUST:
        return Handover(generation, descriptors, {}, action)
    services = {}
    found = value.get("services")
    for name, fields in found.items() if isinstance(found, dict) else ():
        try:
            services[name] = Inherited(**fields)
        except TypeError:
            continue
    return Handover(generation, descriptors, services, action)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except (OSError, OverflowError):
        return False
    return descriptor > 2
