"""PID 1's status stream (init.contract.control) as two pictures: the boot's phases and the services. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from init.contract.status import BootStatus, PhaseStatus, ServiceStatus, load_boot, load_service


class Stream:
    """Takes packets; unknown until PID 1 has said that the picture is complete, and again after the line was lost."""

    def __init__(self, read_boot: Callable[[], bytes | None]):
        self._read_boot = read_boot
        self._forget()

    def _forget(self) -> None:
        self._complete = False
        self._phases: dict[str, PhaseStatus] = {}
        self._services: dict[str, ServiceStatus] = {}

    def take(self, packet: Mapping[str, Any]) -> bool:
        """One packet; True if there is a complete picture now. What a later version says and this cannot read is passed
        over: its status is unknown."""
        kind, name, found = packet.get("kind"), str(packet.get("name", "")), packet.get("status")
        if kind == "lost":
            self._forget()
        elif kind == "complete":
            self._complete = True
        elif kind == "service" and found is None:
            self._services.pop(name, None)
        else:
            try:
                if kind == "service" and isinstance(found, dict):
                    self._services[name] = load_service(found)
                elif kind == "phase" and isinstance(found, dict):
                    self._phases[name] = load_boot({"phases": [found]}).phases[0]
            except ValueError:
                self._services.pop(name, None)
        return self._complete

    def services(self) -> dict[str, ServiceStatus]:
        """The services by name."""
        return dict(self._services)

    def boot(self) -> BootStatus:
        """The phases as streamed, the rest of the boot's status as PID 1 has written it."""
        try:
            data = self._read_boot()
            written = load_boot(json.loads(data)) if data is not None else BootStatus(())
        except ValueError:
            written = BootStatus(())
        return replace(written, phases=tuple(self._phases.values()))
