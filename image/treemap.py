"""Divides a rectangle into rectangles whose areas are in given proportions and that are nearly squares.

The method is Bruls, Huizing and van Wijk's "Squarified Treemaps" (2000): a row along the shorter side takes one more
rectangle as long as that makes the worst of the row less oblong.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rectangle:
    """A place in a picture; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def inset(self, margin: float, top: float = 0.0) -> "Rectangle":
        """What is left inside a margin (and more at the top); of no size if nothing is left."""
        return Rectangle(
            self.x + margin,
            self.y + margin + top,
            max(self.width - 2 * margin, 0.0),
            max(self.height - 2 * margin - top, 0.0),
        )


def squarified(sizes: Sequence[float], frame: Rectangle) -> list[Rectangle]:
    """A rectangle for each size, in the same order; best if the largest come first. ValueError for a size of 0."""
    if any(not size > 0 for size in sizes):
        raise ValueError("a size is not above 0")
    total = sum(sizes)
    rest, placed, start = frame, list[Rectangle](), 0
    while start < len(sizes):
        scale = rest.area / total if total > 0 else 0.0
        side = min(rest.width, rest.height)
        end = start + 1
        row = sizes[start] * scale
        worst = _worst(sizes[start:end], row, scale, side)
        while end < len(sizes):
            longer = row + sizes[end] * scale
            if (ratio := _worst(sizes[start : end + 1], longer, scale, side)) > worst:
                break
            row, worst, end = longer, ratio, end + 1
        last = end == len(sizes)
        rest, made = _laid(sizes[start:end], rest, whole=last, part=sum(sizes[start:end]) / total if total > 0 else 1.0)
        placed += made
        total -= sum(sizes[start:end])
        start = end
    return placed


def _worst(sizes: Sequence[float], row: float, scale: float, side: float) -> float:
    """The greatest ratio of two sides in a row of this area along `side`."""
    if not row > 0 or not side > 0:
        return float("inf")
    largest, smallest = max(sizes) * scale, min(sizes) * scale
    if not smallest > 0:
        return float("inf")
    return max(side * side * largest / (row * row), row * row / (side * side * smallest))


def _laid(sizes: Sequence[float], rest: Rectangle, *, whole: bool, part: float) -> tuple[Rectangle, list[Rectangle]]:
    """A row along the shorter side that takes `part` of what is left, and what is left then."""
    upright = rest.width >= rest.height  # a column at the left
    depth = (rest.width if upright else rest.height) * (1.0 if whole else part)
    length = rest.height if upright else rest.width
    total = sum(sizes)
    made, before = [], 0.0
    for size in sizes:
        at, extent = length * before / total, length * size / total
        if upright:
            made.append(Rectangle(rest.x, rest.y + at, depth, extent))
        else:
            made.append(Rectangle(rest.x + at, rest.y, extent, depth))
        before += size
    if upright:
        return Rectangle(rest.x + depth, rest.y, max(rest.width - depth, 0.0), rest.height), made
    return Rectangle(rest.x, rest.y + depth, rest.width, max(rest.height - depth, 0.0)), made
