"""The shape of a core is enough for a pump that knows nothing else."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from hepto.machine import Confidence, Effect, Event, Level, Machine, Note, WallClock


@dataclass(frozen=True, slots=True)
class Ring(Event):
    """Wake me up later."""

    after: float


@dataclass(frozen=True, slots=True)
class Rang(Effect):
    """Time is up."""

    at: float


class Alarm:
    """The smallest core."""

    def __init__(self) -> None:
        self._due: float | None = None
        self._effects: list[Rang] = []

    def handle(self, event: Ring, now: float) -> None:
        self._due = now + event.after

    def tick(self, now: float) -> None:
        if self._due is not None and now >= self._due:
            self._due = None
            self._effects.append(Rang(now))

    def deadline(self) -> float | None:
        return self._due

    def effects(self) -> tuple[Rang, ...]:
        effects, self._effects = tuple(self._effects), []
        return effects


def run_until_quiet(machine: Machine[Ring, Effect], now: float) -> tuple[Effect, ...]:
    """A pump under a virtual clock."""
    found: tuple[Effect, ...] = machine.effects()
    while (due := machine.deadline()) is not None:
        now = max(now, due)
        machine.tick(now)
        found += machine.effects()
    return found


def test_a_core_can_be_driven_by_its_deadline_alone() -> None:
    alarm = Alarm()
    alarm.handle(Ring(5.0), 1.0)
    alarm.tick(2.0)  # early: nothing

    assert run_until_quiet(alarm, 2.0) == (Rang(6.0),)
    assert alarm.effects() == ()


def test_events_and_effects_are_values() -> None:
    assert WallClock(1.0, Confidence.FLOOR) == WallClock(1.0, Confidence.FLOOR)
    assert Note(Level.INFO, "a") != Note(Level.DEBUG, "a")
    with pytest.raises(FrozenInstanceError):
        Rang(1.0).at = 2.0  # type: ignore[misc]


def test_confidence_grows_and_errors_matter_most() -> None:
    assert Confidence.FLOOR < Confidence.PEERS < Confidence.SYNCHRONISED
    assert Level.ERROR < Level.WARNING < Level.INFO < Level.DEBUG
