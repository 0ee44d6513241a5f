"""The rows of bench/gossip_detection.py as a table for people and as verdicts.

A row's `what` is "FIGURE, N=COUNT"; its variant is the system. Pure.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.report import Row, Target, percentile

SUBJECT, BASELINE = "hepto", "serf"
PHASES = ("idle", "kills")


class Line(NamedTuple):
    """A line of the table: how the values of some rows become one."""

    title: str
    figures: tuple[str, ...]
    unit: str
    combine: Callable[[Sequence[float]], float]
    ratio: bool
    """Whether dividing by the baseline's says something."""


def high(values: Sequence[float]) -> float:
    """p99."""
    return percentile(values, 0.99)


LINES = (
    Line("kill -9 noticed by all, p50", ("kill -9, all",), "s", statistics.median, True),
    Line("kill -9 noticed by all, p99", ("kill -9, all",), "s", high, True),
    Line("kill -9 noticed by the first, p50", ("kill -9, first",), "s", statistics.median, True),
    Line("host gone noticed by all, p50", ("host gone, all",), "s", statistics.median, True),
    Line("host gone noticed by all, worst", ("host gone, all",), "s", max, True),
    Line("bytes sent a node, idle", ("bytes, idle",), "B/s", sum, True),
    Line("bytes sent a node, one kill after the other", ("bytes, kills",), "B/s", sum, True),
    Line("packets sent a node, idle", ("packets, idle",), "1/s", sum, True),
    Line("processor time a node, idle", ("processor, idle",), "%", sum, True),
    Line("memory a node (PSS)", ("memory, idle",), "MiB", sum, True),
    Line("false failures, idle and during kills", tuple(f"false failures, {one}" for one in PHASES), "", sum, False),
    Line("starved: false failures of healthy members", ("false failures, starved",), "", sum, False),
    Line("starved: failures of the stopped members", ("failures of stopped members, starved",), "", sum, False),
)


def labelled(figure: str, members: int) -> str:
    """A row's `what`."""
    return f"{figure}, N={members}"


def value(rows: Sequence[Row], line: Line, system: str, members: int) -> float | None:
    """What the table says for one system; None if it was not measured."""
    names = {labelled(figure, members) for figure in line.figures}
    values = [row.value for row in rows if row.variant == system and row.what in names]
    return line.combine(values) if values else None


def markdown(rows: Sequence[Row], systems: Sequence[str], sizes: Sequence[int]) -> str:
    """The table: a line for each figure and size that was measured, the subject's ratio to the baseline at its end."""
    header = ["figure", "N", *systems, f"{SUBJECT} / {BASELINE}"]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for line in LINES:
        for members in sizes:
            found = {system: value(rows, line, system, members) for system in systems}
            if any(one is not None for one in found.values()):
                cells = [line.title, str(members), *(_cell(one, line.unit) for one in found.values())]
                cells.append(_ratio(found.get(SUBJECT), found.get(BASELINE)) if line.ratio else "")
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def targets(systems: Sequence[str], sizes: Sequence[int]) -> list[Target]:
    """P5, as far as what it compares was measured."""
    found: list[Target] = []
    for members in sizes if SUBJECT in systems else ():
        if BASELINE in systems:
            found.append(Target(labelled("kill -9, all", members), SUBJECT, BASELINE, 0.5))
            found += [Target(labelled(f"bytes, {phase}", members), SUBJECT, BASELINE, 1.0) for phase in PHASES]
        found += [Target(labelled(f"false failures, {phase}", members), SUBJECT, 1.0, 0.0) for phase in PHASES]
    return found


def _cell(number: float | None, unit: str) -> str:
    if number is None:
        return "–"
    if not unit:
        return f"{number:.0f}"
    return f"{number:.0f} {unit}" if abs(number) >= 100 else f"{number:.3g} {unit}"


def _ratio(subject: float | None, baseline: float | None) -> str:
    return f"{subject / baseline:.2f}" if subject is not None and baseline else ""
