"""Measured values as a picture: a lane for each variant, a dot for each value, a bar at the median. Pure; plain SVG.

The axis is logarithmic where the largest value is many times the smallest, else it begins at 0.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report import Row
from hepto.svg import END, FAINT, GRID, INK, PAPER, head, tag, text

WIDTH, LEFT, RIGHT, TOP = 900.0, 170.0, 110.0, 44.0
LANE, FLOOR, GAP = 34.0, 30.0, 16.0
RADIUS, SPREAD = 3.2, 11
"""Of a dot; how far dots of a lane are apart at most, up or down, so that equal values are seen as many."""
SUBJECT, OTHERS = "#0072b2", "#8b93a3"
"""After Okabe and Ito."""
WIDE = 30.0
"""From this ratio of largest to smallest on the axis is logarithmic."""
LEAST_VALUES, MOST_PANELS = 3, 3
STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Axis:
    """Places of values from `low` to `high` between LEFT and WIDTH - RIGHT."""

    low: float
    high: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Of a value; one beyond an end is at that end."""
        scale = math.log10 if self.logarithmic else float
        low, high, at = (scale(number) for number in (self.low, self.high, min(max(value, self.low), self.high)))
        return round(LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT), 2)

    def ticks(self) -> list[float]:
        """Where lines and labels are."""
        if self.logarithmic:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            found = [10.0**power for power in range(first, last + 1)]
        else:
            step = next(
                unit * 10.0**power for power in range(-9, 15) for unit in STEPS if self.high / (unit * 10.0**power) <= 8
            )
            found = [number * step for number in range(int(self.high / step) + 1)]
        return [value for value in found if self.low <= value <= self.high]


def axis_of(values: Sequence[float]) -> Axis:
    """What shows all finite values; from a power of ten to one where it is logarithmic."""
    low, high = min(values), max(values)
    if low > 0 and high / low >= WIDE:
        return Axis(10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high)), logarithmic=True)
    return Axis(min(low, 0.0), high * 1.05 if high > 0 else 1.0, logarithmic=False)


def panels(rows: Sequence[Row]) -> list[str]:
    """The figures that are worth a picture: of two variants at least, with a few values each. The first ones."""
    found = []
    for what in dict.fromkeys(row.what for row in rows):
        of_it = [row for row in rows if row.what == what and math.isfinite(row.value)]
        counts = [sum(row.variant == variant for row in of_it) for variant in {row.variant for row in of_it}]
        if len(counts) > 1 and max(counts) >= LEAST_VALUES and max(row.value for row in of_it) > 0:
            found.append(what)
    return found[:MOST_PANELS]


def draw(rows: Sequence[Row], subject: str) -> str:
    """The picture, as the text of an SVG file; "" if nothing is worth one. `subject`: the variant that stands out."""
    chosen = panels(rows)
    if not chosen:
        return ""
    elements: list[str] = []
    at = 0.0
    for what in chosen:
        of_it = [row for row in rows if row.what == what and math.isfinite(row.value)]
        elements += _panel(of_it, subject, at)
        at += _height(of_it)
    return "\n".join([*head(WIDTH, at), *elements, END, ""])


def _height(rows: Sequence[Row]) -> float:
    return TOP + len({row.variant for row in rows}) * LANE + FLOOR + GAP


def _panel(rows: Sequence[Row], subject: str, top: float) -> Iterator[str]:
    axis = axis_of([row.value for row in rows])
    variants = list(dict.fromkeys(row.variant for row in rows))
    begin, end = top + TOP, top + TOP + len(variants) * LANE
    unit = f" ({rows[0].unit})" if rows[0].unit else ""
    scale = ", logarithmic" if axis.logarithmic else ""
    yield text(LEFT, top + 28, f"{rows[0].what}{unit}{scale}", size=14, weight="bold")
    for value in axis.ticks():
        x = axis.place(value)
        yield tag("line", x1=x, x2=x, y1=begin, y2=end, stroke=GRID)
        yield text(x, end + 16, f"{value:g}", anchor="middle", fill=FAINT)
    for number, variant in enumerate(variants):
        values = [row.value for row in rows if row.variant == variant]
        colour = SUBJECT if variant == subject else OTHERS
        yield from _lane(variant, values, axis, begin + (number + 0.5) * LANE, colour)


def _lane(variant: str, values: Sequence[float], axis: Axis, middle: float, colour: str) -> Iterator[str]:
    yield text(LEFT - 12, middle + 4, variant, anchor="end")
    for number, value in enumerate(values):
        y = round(middle + (number * 7 % (2 * SPREAD + 1) - SPREAD) * (len(values) > 1), 2)
        yield tag("circle", cx=axis.place(value), cy=y, r=RADIUS, fill=colour, opacity=0.45)
    median = statistics.median(values)
    x = axis.place(median)
    for width, ink in ((5, PAPER), (2, INK)):
        yield tag(
            "line", x1=x, x2=x, y1=middle - LANE / 2 + 2, y2=middle + LANE / 2 - 2, stroke=ink, stroke_width=width
        )
    yield text(WIDTH - RIGHT + 12, middle + 4, f"{median:.3g}" if abs(median) < 1000 else f"{median:.0f}")
