"""docs/benchmarks.md: what all benchmarks have found, as one page of tables. Pure.

A figure that misses its target is printed as missed; a benchmark that was not run is named as such.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import Result, Row

PICTURES = "benchmarks"
"""The directory of the pictures, beside the page."""
BEGINNING = """\
# Benchmarks

What `make bench` has measured, written by it. What is compared was measured in the same run; the targets are ours.
Machines that are booted are emulated (QEMU without KVM), so of times only ratios mean anything. Where a benchmark's
clock is the number of instructions executed, it says so, and the host's load changes nothing; else it hits all that are
compared alike. A commit with a `+` is one to which something had been changed. In a picture each dot is a value and the
bar is their median. Every raw row is in `build/bench/NAME.csv`, and stays where it was measured.
"""
MOST_LINES = 100
"""Of a table. A benchmark with more variants than that says all in its verdicts."""
HEADER = ("figure", "of", "median", "least", "most", "values")


@dataclass(frozen=True)
class Section:
    """A benchmark: its name, its module's docstring, what it has left (None: was not run), and if it has a picture."""

    name: str
    about: str
    result: Result | None
    picture: bool = False


def page(sections: Sequence[Section]) -> str:
    """The whole page."""
    return "\n".join((BEGINNING, *(_section(section) for section in sections)))


def title(about: str) -> str:
    """The first sentence of a docstring, without its full stop."""
    return " ".join(about.partition("\n\n")[0].split()).rstrip(".")


def table(rows: Sequence[Row]) -> list[str]:
    """A line for each figure and variant; those of a figure one below the other, whatever the order of the rows."""
    lines = [_line(HEADER), "|---|---|" + "---:|" * (len(HEADER) - 2)]
    figures = list(dict.fromkeys(row.what for row in rows))
    pairs = dict.fromkeys((row.what, row.variant) for row in rows)
    for what, variant in sorted(pairs, key=lambda pair: figures.index(pair[0])):
        of_it = [row for row in rows if (row.what, row.variant) == (what, variant)]
        values = [row.value for row in of_it]
        shown = [_number(value, of_it[0].unit) for value in (statistics.median(values), min(values), max(values))]
        lines.append(_line((what, variant, *(shown if len(values) > 1 else (shown[0], "", "")), str(len(values)))))
    return lines


def _section(section: Section) -> str:
    result = section.result
    lines = [f"## {title(section.about)}", ""]
    if result is None:
        return "\n".join((*lines, f"Not measured. `make bench-{section.name}` does.", ""))
    commit = f", commit {result.commit}" if result.commit else ""
    where = f"{result.processors} processors, load {result.load:g} at the end"
    lines.append(f"`make bench-{section.name}`, {result.at}{commit}: {where}. How: `bench/{section.name}.py`.")
    if result.verdicts:
        lines += ["", *(f"- {_marked(verdict)}" for verdict in result.verdicts)]
    if section.picture:
        lines += ["", f"![{title(section.about)}]({PICTURES}/{section.name}.svg)"]
    shown = table(result.rows)
    if len(shown) > MOST_LINES:
        shown = [f"{len(result.rows)} rows, too many for a table."]
    return "\n".join((*lines, "", *shown, ""))


def _marked(line: str) -> str:
    return line.replace("MISSED", "**missed**")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _number(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "never"
    if value == int(value) and abs(value) < 1e6 and not unit:
        text = f"{value:.0f}"
    else:
        text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
