"""Drives one core (hepto.machine.Machine) under asyncio: feed an event, carry out the effects, arm one timer."""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from hepto.machine import Effect, Event, Machine

EventT = TypeVar("EventT", bound=Event)
EffectT = TypeVar("EffectT", bound=Effect)


def now() -> float:
    """The clock of all cores and of the status files: CLOCK_BOOTTIME, which goes on while a machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def pause(seconds: float) -> None:
    """Wait between two tries at something that cannot announce itself."""
    await asyncio.sleep(seconds)


class Pump(Generic[EventT, EffectT]):
    """`perform` is called with each effect in order and must not block; `settled` after each input."""

    def __init__(
        self,
        machine: Machine[EventT, EffectT],
        perform: Callable[[EffectT], None],
        settled: Callable[[], None] = lambda: None,
    ):
        self._machine = machine
        self._perform = perform
        self._settled = settled
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, event: EventT) -> None:
        """One event, at this instant."""
        self._machine.handle(event, now())
        self._after()

    def close(self) -> None:
        """No timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, armed_for: float) -> None:
        self._timer = None
        self._machine.tick(max(now(), armed_for))  # never earlier than what it was armed for, whatever the clocks say
        self._after()

    def _after(self) -> None:
        for effect in self._machine.effects():
            self._perform(effect)
        self.close()
        deadline = self._machine.deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - now()), self._tick, deadline)
        self._settled()
