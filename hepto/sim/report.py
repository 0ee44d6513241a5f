"""The figures of a run, and the promises that a run may break.

A node is `troubled` from the beginning of what is done to it until everybody has had time to hear that it is over (two
rounds of push/pull). What is believed of it then is no mistake. Of all others it is: a false suspicion, a false death.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hepto.gossip.model import Change
from hepto.gossip.profile import PROFILES, push_pull_interval
from hepto.sim.faults import Kind
from hepto.sim.plan import Plan
from hepto.sim.simulation import Outcome
from hepto.sim.timeline import Happening, Timeline

CALM_LOSS = 0.05
"""Up to this loss nobody may be declared dead by mistake (targets.md R4)."""
ROUNDS = 2
"""Of push/pull, in which views have to be equal again once faults have stopped (targets.md R3)."""
ENDS = (Kind.KILL, Kind.UNPLUG)


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds; None where there is nothing to be measured."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run has measured."""

    ended: int
    """Nodes whose process or machine ended, each time counted."""
    noticed: Spread
    """From an end until a node holds it for dead, over all that run on."""
    noticed_by_all: Spread
    """Until the last of them does."""
    unnoticed: int
    """Pairs of a node that ended and one that ran on and never noticed, though nothing else befell either."""
    false_suspicions: int
    false_deaths: int
    convergence: float | None
    """Seconds from the end of the last fault that ends until all views were equal and true; None: never."""
    wrong: int
    """Beliefs at the end that are not so."""
    packets_per_second: float
    """Datagrams that a node sends."""
    packet_bytes_per_second: float
    """Their payload."""
    stream_bytes_per_second: float
    """Payload that a node sends on connections."""

    def json(self) -> dict[str, object]:
        """For machines."""
        return asdict(self)


def heal_limit(plan: Plan) -> float:
    """Seconds of two rounds of push/pull in this cluster."""
    return ROUNDS * push_pull_interval(PROFILES[plan.profile].push_pull_interval, plan.nodes)


def measure(outcome: Outcome) -> Figures:
    """All figures of a run."""
    plan, timeline, traffic = outcome.plan, outcome.timeline, outcome.traffic
    limit = heal_limit(plan)
    delays, last, unnoticed = _detections(plan, timeline, limit)
    mistakes = [
        turn.change for turn in timeline.turns if not _troubled(timeline.happenings, turn.subject, turn.time, limit)
    ]
    healed = plan.faults_end()
    equal = timeline.equal_after(healed)
    per_node = plan.nodes * plan.until
    return Figures(
        ended=len(last),
        noticed=_spread(delays),
        noticed_by_all=_spread([delay for delay in last if delay is not None]),
        unnoticed=unnoticed,
        false_suspicions=mistakes.count(Change.SUSPECTED),
        false_deaths=mistakes.count(Change.FAILED),
        convergence=None if equal is None else equal - healed,
        wrong=outcome.wrong,
        packets_per_second=traffic.packets / per_node,
        packet_bytes_per_second=traffic.packet_bytes / per_node,
        stream_bytes_per_second=traffic.stream_bytes / per_node,
    )


def broken(outcome: Outcome, figures: Figures) -> list[str]:
    """The promises that this run has broken, as sentences."""
    plan, limit = outcome.plan, heal_limit(outcome.plan)
    sentences = []
    if figures.convergence is None or figures.convergence > limit:
        took = "not at all" if figures.convergence is None else f"after {figures.convergence:.1f} s"
        sentences.append(
            f"views became equal {took}, not within {limit:.0f} s (two rounds of push/pull) of the faults' end;"
            f" {figures.wrong} beliefs are wrong at the end"
        )
    if figures.false_deaths and plan.worst(Kind.LOSS) <= CALM_LOSS:
        sentences.append(f"{figures.false_deaths} times a node was held for dead that nothing had happened to")
    return sentences


def rows(figures: Figures) -> list[tuple[str, str]]:
    """For a table."""
    noticed, by_all = figures.noticed, figures.noticed_by_all
    return [
        ("ended", f"{figures.ended} nodes" + (f", {figures.unnoticed} times unnoticed" if figures.unnoticed else "")),
        ("noticed", f"p50 {_seconds(noticed.p50)}, p99 {_seconds(noticed.p99)}"),
        ("noticed by all", f"p50 {_seconds(by_all.p50)}, p99 {_seconds(by_all.p99)}"),
        ("false suspicions", str(figures.false_suspicions)),
        ("false deaths", str(figures.false_deaths)),
        (
            "views equal",
            "never" if figures.convergence is None else f"{figures.convergence:.1f} s after the last fault",
        ),
        ("wrong beliefs at the end", str(figures.wrong)),
        ("packets", f"{figures.packets_per_second:.2f} a second and node"),
        ("bytes in packets", f"{figures.packet_bytes_per_second:.0f} a second and node"),
        ("bytes in streams", f"{figures.stream_bytes_per_second:.0f} a second and node"),
    ]


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _spread(values: Sequence[float]) -> Spread:
    return Spread(quantile(values, 0.5), quantile(values, 0.99))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _troubled(happenings: Sequence[Happening], node: int, time: float, limit: float) -> bool:
    for happening in happenings:
        if happening.begin <= time and node in happening.nodes:
            end = math.inf if happening.kind in ENDS and happening.end is None else happening.end or happening.begin
            if time <= end + limit:
                return True
    return False


def _detections(plan: Plan, timeline: Timeline, limit: float) -> tuple[list[float], list[float | None], int]:
    """Delays of all pairs; the last delay of each end (None: nobody noticed); pairs without one."""
    delays: list[float] = []
    last: list[float | None] = []
    unnoticed = 0
    for happening in timeline.happenings:
        if happening.kind not in ENDS or happening.begin > plan.until:
            continue
        until = happening.end or plan.until
        for subject in happening.nodes:
            first = _noticed(timeline, subject, happening.begin, until)
            found = [time - happening.begin for time in first.values()]
            delays += found
            last.append(max(found, default=None))
            for observer in range(plan.nodes):
                undisturbed = not _troubled(timeline.happenings, observer, happening.begin, limit)
                unnoticed += observer != subject and observer not in first and undisturbed
    return delays, last, unnoticed


def _noticed(timeline: Timeline, subject: int, begin: float, end: float) -> dict[int, float]:
    """When each observer first held it for dead in this time."""
    first: dict[int, float] = {}
    for turn in timeline.turns:
        if turn.subject == subject and turn.change is Change.FAILED and begin <= turn.time <= end:
            first.setdefault(turn.observer, turn.time)
    return first
