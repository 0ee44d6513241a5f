"""Readiness that nobody tells: a file that is there, a socket that accepts. Looked for often at first, then less."""

import os

from init import linux
from init.contract.service import ReadyKind
from init.contract.status import State
from init.service import Supervised

FIRST, MOST = 0.01, 0.25
"""Seconds between two looks: short at first, then doubling."""


class Probes:
    """The services whose readiness is looked for, by name."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, float]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._due

    def begin(self, service: Supervised, now: float) -> None:
        """Its program runs: look, if its readiness is of that kind."""
        if service.spec.ready.kind in (ReadyKind.FILE, ReadyKind.UNIX) and service.state is State.UP:
            self._look(service, FIRST, now)

    def end(self, name: str) -> None:
        """It does not run any longer."""
        self._due.pop(name, None)

    def tick(self, services: dict[str, Supervised], now: float) -> None:
        """Look where it is time to."""
        for name, (due, interval) in list(self._due.items()):
            if due <= now:
                self._look(services[name], interval, now)

    def deadline(self) -> float | None:
        """When `tick` is wanted."""
        return min((due for due, _interval in self._due.values()), default=None)

    def _look(self, service: Supervised, interval: float, now: float) -> None:
        target = service.spec.ready.target
        there = os.path.exists(target) if service.spec.ready.kind is ReadyKind.FILE else linux.unix_accepts(target)
        if service.state is not State.UP or there:
            self._due.pop(service.name, None)
            if service.state is State.UP:
                service.ready(now)
        else:
            self._due[service.name] = (now + interval, min(interval * 2, MOST))
