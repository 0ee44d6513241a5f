"""What the picture of a run is drawn from: for each node how many others believed what of it, step by step."""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from hepto.gossip.messages import Status
from hepto.gossip.model import Change
from hepto.sim.faults import Kind
from hepto.sim.plan import Plan
from hepto.sim.timeline import Happening, Timeline


class Belief(IntEnum):
    """What one node thinks of another, in the order in which lanes are stacked, from the bottom."""

    DEAD = 0
    SUSPECT = 1
    LEFT = 2
    ALIVE = 3
    UNKNOWN = 4
    NONE = 5
    """The observer itself does not run."""


class Step(NamedTuple):
    """From this time on so many others believe this."""

    time: float
    counts: tuple[int, ...]
    """By Belief."""


OF_STATUS = {
    Status.ALIVE: Belief.ALIVE,
    Status.SUSPECT: Belief.SUSPECT,
    Status.DEAD: Belief.DEAD,
    Status.LEFT: Belief.LEFT,
}
NEWS = (Change.SUSPECTED, Change.FAILED, Change.LEFT)


def eventful(plan: Plan, timeline: Timeline, most: int) -> list[int]:
    """The nodes worth a lane, ascending: all if there is room, else those with the most news about them."""
    if plan.nodes <= most:
        return list(range(plan.nodes))
    weight = [0] * plan.nodes
    for happening in timeline.happenings:
        for node in () if happening.kind is Kind.PARTITION else happening.nodes:
            weight[node] += plan.nodes
    for turn in timeline.turns:
        weight[turn.subject] += turn.change in NEWS
    found = sorted((node for node in range(plan.nodes) if weight[node]), key=lambda node: -weight[node])[:most]
    return sorted(found)


def lanes(plan: Plan, timeline: Timeline, subjects: Sequence[int], resolution: float) -> dict[int, list[Step]]:
    """For each of these nodes its steps; those closer together than `resolution` seconds become one."""
    beliefs = {
        subject: [Belief.UNKNOWN if plan.strangers else Belief.ALIVE for _ in range(plan.nodes)] for subject in subjects
    }
    counts = {subject: [0] * len(Belief) for subject in subjects}
    for subject in subjects:
        counts[subject][beliefs[subject][0]] = plan.nodes - 1
    steps = {subject: [Step(0.0, tuple(counts[subject]))] for subject in subjects}
    for time, observer, subject, belief in _changes(plan, timeline, subjects):
        if observer == subject or beliefs[subject][observer] is belief:
            continue
        count = counts[subject]
        count[beliefs[subject][observer]] -= 1
        count[belief] += 1
        beliefs[subject][observer] = belief
        line = steps[subject]
        if time - line[-1].time < resolution and len(line) > 1:
            line[-1] = Step(line[-1].time, tuple(count))
        else:
            line.append(Step(time, tuple(count)))
    return steps


def _changes(plan: Plan, timeline: Timeline, subjects: Sequence[int]) -> Iterator[tuple[float, int, int, Belief]]:
    """Turns of mind about these nodes, and the ends and beginnings of those who have one, in order."""
    wanted = frozenset(subjects)
    found: list[tuple[float, int, int, tuple[int, ...], Belief]] = [
        (turn.time, 1, turn.observer, (turn.subject,), _belief(turn.change, turn.status))
        for turn in timeline.turns
        if turn.subject in wanted
    ]
    everybody = tuple(subjects)
    for happening in timeline.happenings:
        for node in happening.nodes:
            found += [(time, 0, node, everybody, belief) for time, belief in _life(happening)]
    for time, _, observer, about, belief in sorted(found, key=lambda change: change[:2]):
        if time <= plan.until:
            yield from ((time, observer, subject, belief) for subject in about)


def _belief(change: Change, status: Status) -> Belief:
    return Belief.UNKNOWN if change is Change.FORGOTTEN else OF_STATUS[status]


def _life(happening: Happening) -> list[tuple[float, Belief]]:
    """When a process that is touched by this ends, and when one begins that knows nothing yet."""
    if happening.kind in (Kind.KILL, Kind.UNPLUG):
        again = [] if happening.end is None else [(happening.end, Belief.UNKNOWN)]
        return [(happening.begin, Belief.NONE), *again]
    return [(happening.begin, Belief.UNKNOWN)] if happening.kind is Kind.RESTART else []
