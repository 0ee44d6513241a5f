"""What was said of a boot, as rows of a chart: phases, the agent's steps, what was waited for, services. Pure.

The material is what `hepto status --json` prints, or the record of the boot before (init.contract.boots): plain JSON
types, of which only what is understood is taken. Times are seconds since the kernel began.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

MARGIN: Final = 1.05
"""The chart goes on for so much longer than what it is about."""
RUNNING: Final = ("ready", "up", "stopping")
LEAST: Final = 0.1
"""Seconds of a chart at least."""


class What(StrEnum):
    """What a stretch of a row is."""

    WORK = "works"
    WAIT = "waits"
    START = "starts"
    READY = "ready"
    FAILED = "failed"


class Section(StrEnum):
    """The chart's parts, from top to bottom."""

    KERNEL = "kernel"
    PHASES = "phases of PID 1"
    AGENT = "steps of the agent"
    WAITS = "the node waits for"
    SERVICES = "services"


@dataclass(frozen=True)
class Stretch:
    what: What
    begin: float
    end: float


@dataclass(frozen=True)
class Row:
    section: Section
    name: str
    stretches: tuple[Stretch, ...]
    note: str = ""
    """What a person is to know of it: what it waited for, why it failed."""

    @property
    def begin(self) -> float:
        """Of the first stretch."""
        return min((stretch.begin for stretch in self.stretches), default=math.inf)

    @property
    def work(self) -> tuple[float, float | None]:
        """When it began what it had to do, and how long that took (None: it is not done).

        Of a service from its start until it was ready; of what was waited for all the time together.
        """
        if self.section is Section.WAITS:
            return self.begin, sum(stretch.end - stretch.begin for stretch in self.stretches)
        stretch = next((one for one in self.stretches if one.what is not What.WAIT), self.stretches[0])
        done = stretch.what is What.WORK or self.stretches[-1].what is What.READY
        return stretch.begin, stretch.end - stretch.begin if done else None


@dataclass(frozen=True)
class Chart:
    node: str
    rows: tuple[Row, ...]
    ready: float | None
    """When the node was, for the first time; None: it was not, as far as is known."""
    end: float
    left_out: int = 0
    """Services that came after the node was ready for the first time."""

    @property
    def title(self) -> str:
        """One line."""
        how = f"ready after {self.ready:.1f} s" if self.ready is not None else "not ready"
        return f"Boot of {self.node}: {how}" if self.node else f"Boot: {how}"

    def plain(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def chart(said: Mapping[str, Any], now: float, node: str = "") -> Chart:
    """From `phases`, `services` and `course`; `now` is when they were said. Raises ValueError if they make no sense."""
    try:
        return _chart(said, now, node)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not what is said of a boot: {error!r}") from None


def _chart(said: Mapping[str, Any], now: float, node: str) -> Chart:
    phases = [phase for phase in said.get("phases") or () if phase.get("since")]
    services: dict[str, Any] = said.get("services") or {}
    course: dict[str, Any] = said.get("course") or {}
    steps: dict[str, float] = course.get("steps") or {}
    ready = steps.get("ready")
    begun = {name: found for name, found in services.items() if found.get("beginning")}
    seen = {name: found for name, found in begun.items() if ready is None or found["beginning"]["known"] <= ready}
    rows = [
        *_kernel(phases),
        *(_phase(phase, now) for phase in phases),
        *_agent(course, steps),
        *_waits(course.get("waits") or (), now),
        *_in_order(_service(name, found, now) for name, found in seen.items()),
    ]
    end = (_last(rows) if ready is None else ready) * MARGIN
    cut = (_cut(row, end) for row in rows)
    kept = tuple(row for row in cut if row.stretches)  # a phase may begin late, as that of a disk that comes
    return Chart(node, kept, ready, max(end, LEAST), len(begun) - len(seen))


def _kernel(phases: list[dict[str, Any]]) -> Iterator[Row]:
    if phases:
        begin = min(float(phase["since"]) for phase in phases)
        yield Row(Section.KERNEL, "kernel and stage 0", (Stretch(What.WORK, 0.0, begin),))


def _phase(phase: Mapping[str, Any], now: float) -> Row:
    since, state, wait = float(phase["since"]), phase["state"], phase.get("waits_for") or {}
    if state == "failed":
        stretch = Stretch(What.FAILED, since, since + float(phase["seconds"]))
    elif state == "done":
        stretch = Stretch(What.WORK, since, since + float(phase["seconds"]))
    else:
        stretch = Stretch(What.WAIT if wait or state == "pending" else What.WORK, since, now)
    return Row(Section.PHASES, str(phase["name"]), (stretch,), str(phase.get("error") or wait.get("what") or ""))


def _agent(course: Mapping[str, Any], steps: Mapping[str, float]) -> Iterator[Row]:
    """Each from the end of the one before: most wait for that."""
    before = float(course.get("started") or 0.0)
    for name, at in sorted(steps.items(), key=lambda item: item[1]):
        if name != "ready":
            yield Row(Section.AGENT, name, (Stretch(What.WORK, before, float(at)),))
            before = float(at)


def _waits(waits: Iterable[Mapping[str, Any]], now: float) -> list[Row]:
    """One row for each thing that was waited for, be it once or again and again."""
    found: dict[str, Row] = {}
    for wait in waits:
        name = f"{wait['reason']} {wait['subject']}".strip()
        until = wait.get("until")
        stretch = Stretch(What.WAIT, float(wait["since"]), now if until is None else float(until))
        before = found[name].stretches if name in found else ()
        found[name] = Row(Section.WAITS, name, (*before, stretch), str(wait.get("what") or ""))
    return list(found.values())


def _service(name: str, found: Mapping[str, Any], now: float) -> Row:
    beginning = found["beginning"]
    known, started, ready = float(beginning["known"]), beginning["started"], beginning["ready"]
    stretches = []
    if started is None or started > known:
        stretches.append(Stretch(What.WAIT, known, now if started is None else float(started)))
    if started is not None:
        stretches.append(Stretch(What.START, float(started), now if ready is None else float(ready)))
    if ready is not None:
        goes_on = found.get("state") in RUNNING
        stretches.append(
            Stretch(What.READY, float(ready), now if goes_on else max(float(found["since"]), float(ready)))
        )
    subjects = dict.fromkeys(str(subject) for subject, _ in beginning["waits"] if str(subject) != name)
    notes = [f"after {', '.join(subjects)}"] if subjects else []
    deaths = int(found.get("deaths") or 0)
    notes += [f"died {'once' if deaths == 1 else f'{deaths} times'}"] if deaths else []
    return Row(Section.SERVICES, name, tuple(stretches), "; ".join(notes))


def _in_order(rows: Iterable[Row]) -> list[Row]:
    """As they were started, then as they were known."""
    return sorted(rows, key=lambda row: (next(iter(_starts(row)), math.inf), row.begin, row.name))


def _starts(row: Row) -> Iterator[float]:
    return (stretch.begin for stretch in row.stretches if stretch.what is What.START)


def _last(rows: Iterable[Row]) -> float:
    """When the last thing of the boot happened: what is ready goes on, but that is not about the boot."""
    stretches = (stretch for row in rows for stretch in row.stretches)
    return max((one.begin if one.what is What.READY else one.end for one in stretches), default=0.0)


def _cut(row: Row, end: float) -> Row:
    stretches = (stretch for stretch in row.stretches if stretch.begin < end)
    kept = tuple(Stretch(stretch.what, stretch.begin, min(stretch.end, end)) for stretch in stretches)
    return Row(row.section, row.name, kept, row.note)
