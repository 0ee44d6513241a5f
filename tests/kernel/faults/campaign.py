"""Which story reaches which call, and then each call made to raise, one after another, with a verdict on each.

Many calls are tried on one machine while it stays whole; one that is not is thrown away. Calls that only a boot or a
shutdown reaches take a machine of their own.
"""

import contextlib
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from init.contract.control import Verb
from tests.kernel.faults import injector
from tests.kernel.faults.scene import Scene, furnished, scene
from tests.kernel.faults.sites import Site, error
from tests.kernel.faults.stories import STORIES, Story

BOOT, ENDING = "boot", "shutdown"
TRIES = 3
"""A story is told so often until a call that it reached before is reached again."""
FRESH = {"nothing succeeds": 3}
"""Faults of a story before the next machine, where PID 1 remembers how often it was in trouble."""
SURVIVED, NOT_REACHED, FAILED = "survived", "not reached", "FAILED"


class Outcome(NamedTuple):
    """What came of one fault."""

    site: Site
    error: str
    story: str
    result: str
    """One of SURVIVED, NOT_REACHED and FAILED, which goes on with `without a fault` if nothing was raised."""
    seconds: float
    detail: str = ""

    @property
    def failed(self) -> bool:
        """True if what had to hold did not."""
        return self.result.startswith(FAILED)


# -- what reaches what -------------------------------------------------------------------------------------------------


def survey(directory: Path, wanted: Iterable[Site], stories: Mapping[str, Story] = STORIES) -> dict[Site, str]:
    """The first story that reaches a site, for each that is reached at all."""
    by_end = {(site.path, site.end): site for site in wanted}
    found: dict[Site, str] = {}

    def note(notes: Path, story: str) -> None:
        for line in notes.read_text().splitlines() if notes.exists() else ():
            path, row, column = line.split()
            site = by_end.get((path, (int(row), int(column))))
            if site is not None:
                found.setdefault(site, story)
        notes.unlink(missing_ok=True)

    with scene(furnished(directory, "survey"), what="record") as stage:
        notes, boot = stage.root / injector.REACHED, stage.root / "boot"
        notes.rename(boot)
        for name, story in stories.items():
            stage.count += 1
            stage.machine.fault("record")
            stage.order(Verb.NOTE, text=f"survey {stage.count}")
            story(stage)
            stage.whole()
            note(notes, name)
        note(boot, BOOT)
        stage.machine.fault("record")
        shut_down(stage)
        note(notes, ENDING)
    return found


def shut_down(stage: Scene) -> None:
    """Poweroff, with an unmounting that hangs."""
    (stage.root / "hang").touch()
    with contextlib.suppress(AssertionError):  # it may be gone before it can answer
        stage.order(Verb.POWEROFF)
    stage.machine.process.wait(timeout=60)
    assert (stage.root / "end").read_text() == "poweroff"


# -- one fault after another ------------------------------------------------------------------------------------------


def campaign(directory: Path, reached: Mapping[Site, str], turn: int = 0) -> Iterator[Outcome]:
    """Every site of these made to raise in its story; another exception each turn."""
    places = (furnished(directory, f"m{number}") for number in itertools.count())
    for name in STORIES:
        yield from _told(places, name, [site for site, story in reached.items() if story == name], turn)
    for site, story in reached.items():
        if story == BOOT:
            yield _booted(next(places), site, error(site, turn))
        elif story == ENDING:
            yield _ended(next(places), site, error(site, turn))


def _told(places: Iterator[Path], name: str, sites: list[Site], turn: int) -> Iterator[Outcome]:
    while sites:
        with scene(next(places)) as stage:
            for _ in range(min(len(sites), FRESH.get(name, len(sites)))):
                outcome = _in_story(stage, sites.pop(0), name, turn)
                yield outcome
                if outcome.failed:
                    break


def _in_story(stage: Scene, site: Site, name: str, turn: int) -> Outcome:
    raised, said, began = error(site, turn), len(stage.machine.console()), time.monotonic()
    try:
        stage.machine.fault("site", path=site.path, end=site.end, error=raised)
        stage.order(Verb.NOTE, text=f"armed {stage.count}")
        for _ in range(TRIES):
            stage.count += 1
            STORIES[name](stage)
            if stage.machine.fired():
                break
        stage.whole()
    except (AssertionError, OSError) as failure:
        result = FAILED if stage.machine.fired() else f"{FAILED} without a fault"
        return Outcome(site, raised, name, result, time.monotonic() - began, str(failure))
    result = SURVIVED if stage.machine.fired() else NOT_REACHED
    detail = "executed itself anew" if "executes itself anew" in stage.machine.console()[said:] else ""
    return Outcome(site, raised, name, result, time.monotonic() - began, detail)


def _booted(place: Path, site: Site, raised: str) -> Outcome:
    """All phases have to be done in the end."""
    began, fired = time.monotonic(), ""
    try:
        with scene(place, what="site", path=site.path, end=site.end, error=raised) as stage:
            stage.until(lambda: set(stage.machine.phases().values()) == {"done"}, "all phases")
            fired = stage.machine.fired()
    except (AssertionError, OSError) as failure:
        return Outcome(site, raised, BOOT, FAILED, time.monotonic() - began, str(failure))
    return Outcome(site, raised, BOOT, SURVIVED if fired else NOT_REACHED, time.monotonic() - began)


def _ended(place: Path, site: Site, raised: str) -> Outcome:
    began, fired = time.monotonic(), ""
    try:
        with scene(place) as stage:
            stage.machine.fault("site", path=site.path, end=site.end, error=raised)
            shut_down(stage)
            fired = stage.machine.fired()
    except (AssertionError, OSError) as failure:
        return Outcome(site, raised, ENDING, FAILED, time.monotonic() - began, str(failure))
    return Outcome(site, raised, ENDING, SURVIVED if fired else NOT_REACHED, time.monotonic() - began)
