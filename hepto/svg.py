"""Pieces of SVG that our pictures share: tags, texts, the axis of time, colours."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

INK, FAINT, GRID, PAPER = "#1f2430", "#747b8c", "#d9dce3", "#ffffff"
FONT = "DejaVu Sans, Helvetica, Arial, sans-serif"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400)
MOST_TICKS = 16


def head(width: float, height: float) -> Iterator[str]:
    """The beginning of a file: the picture's size and its paper. What ends it is `END`."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" font-family="{FONT}" font-size="12">'
    )
    yield tag("rect", width=width, height=height, fill=PAPER)


END = "</svg>"


def tag(name: str, **attributes: object) -> str:
    """An element without content; an underscore in an attribute's name is a hyphen."""
    words = [f"{key.replace('_', '-')}={quoteattr(str(value))}" for key, value in attributes.items()]
    return f"<{' '.join([name, *words])}/>"


def text(
    x: float, y: float, words: str, *, anchor: str = "start", fill: str = INK, size: int = 12, weight: str = "normal"
) -> str:
    """Words at a place, their base line at `y`. What cannot be shown, as control characters, is left out."""
    words = "".join(letter for letter in words if letter.isprintable())
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" font-size="{size}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )


def tick_distance(seconds: float) -> float:
    """Between two labels of the axis."""
    return next((tick for tick in TICKS if seconds / tick <= MOST_TICKS), TICKS[-1])


def axis(seconds: float, *, left: float, right: float, top: float, floor: float) -> Iterator[str]:
    """The lines and labels of an axis of time from `left` to `right`, the lines from `top` to `floor`."""
    distance, scale = tick_distance(seconds), (right - left) / seconds
    for number in range(int(seconds / distance + 1e-9) + 1):
        x = round(left + number * distance * scale, 2)
        yield tag("line", x1=x, x2=x, y1=top, y2=floor, stroke=GRID)
        yield text(x, floor + 16, f"{number * distance:g}", anchor="middle", fill=FAINT)
    yield text(left + (right - left) / 2, floor + 36, "seconds", anchor="middle", fill=FAINT)
