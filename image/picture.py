"""Draws the report of an image as a treemap in SVG: the area of a field is what it takes of the image's files."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from hepto.svg import END, FAINT, INK, PAPER, head, tag, text
from image.account import PARTS, Row
from image.treemap import Rectangle, squarified

WIDTH, HEIGHT, TOP, MARGIN = 1200.0, 800.0, 64.0, 24.0
HEADING = 20.0
"""Height of a part's name."""
LETTER = 0.58
"""Width of a letter, in heights: DejaVu Sans' average, rounded up."""
BOLD = 0.68
LETTERS = (11, 9, 8)
SHORTEST = 5
"""Letters of a shortened name, its ellipsis counted."""
COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#e69f00", "#8b93a3", "#d9dce3")
"""After Paul Tol's and Okabe and Ito's schemes, in the order of PARTS; metadata and remainder are grey."""
DARK = ("#4477aa", "#228833", "#aa3377")
"""On these, words are white."""


def draw(rows: Sequence[Row]) -> str:
    """The picture, as the text of an SVG file. Raises ValueError if no row takes any space."""
    taken = [row for row in rows if row.compressed > 0]
    if not taken:
        raise ValueError("nothing in it takes any space")
    return "\n".join([*_elements(taken), END, ""])


def megabytes(size: float) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} KB" if size >= 1000 else f"{size:.0f} B"


def _elements(rows: Sequence[Row]) -> Iterator[str]:
    total = sum(row.compressed for row in rows)
    files = sorted({row.file for row in rows})
    yield from head(WIDTH, HEIGHT)
    yield text(MARGIN, 32, f"What is in the {total / 1e6:.1f} MB of this image", size=20, weight="bold")
    yield text(MARGIN, 52, f"{', '.join(files)}; as stored, compressed where they are", fill=FAINT)
    parts = sorted({row.part for row in rows}, key=lambda part: -_size(rows, part))
    frame = Rectangle(MARGIN, TOP, WIDTH - 2 * MARGIN, HEIGHT - TOP - MARGIN)
    for part, place in zip(parts, squarified([_size(rows, part) for part in parts], frame), strict=True):
        yield from _part(part, [row for row in rows if row.part == part], total, place)


def _size(rows: Sequence[Row], part: str) -> int:
    return sum(row.compressed for row in rows if row.part == part)


def _part(part: str, rows: Sequence[Row], total: int, place: Rectangle) -> Iterator[str]:
    """A part: its name and size, and a field for each of its rows."""
    colour = COLOURS[PARTS.index(part)] if part in PARTS else COLOURS[-1]
    size = sum(row.compressed for row in rows)
    ordered = sorted(rows, key=lambda row: (-row.compressed, row[:4]))
    words = f"{part}: {megabytes(size)}, {100 * size / total:.1f} %"
    yield "<g>"
    yield f"<title>{escape(words)}</title>"
    yield _field(place, colour)
    inner = place.inset(2.0, top=HEADING - 4)
    choices = (words, f"{part}: {megabytes(size)}", _shortened(part, place.width, 12, BOLD))
    label = next((choice for choice in choices if _fits(choice, place, 12, BOLD)), "")
    if label and place.height >= HEADING * 1.5:
        yield _label(place.x + 6, place.y + 15, label, colour, weight="bold")
    if inner.area > 0:
        for row, where in zip(ordered, squarified([row.compressed for row in ordered], inner), strict=True):
            yield from _row(row, where, colour)
    yield "</g>"


def _row(row: Row, place: Rectangle, colour: str) -> Iterator[str]:
    name = row.piece or row.package
    words = " ".join(word for word in (row.package, row.version, row.piece) if word)
    title = f"{words} in {row.file}: {megabytes(row.compressed)}, read {megabytes(row.installed)}"
    yield "<g>"
    yield f"<title>{escape(title)}</title>"
    yield _field(place, colour)
    size = megabytes(row.compressed)
    yield from _words(f"{name} {size}", (name, size), place, colour)
    yield "</g>"


def _words(line: str, lines: tuple[str, str], place: Rectangle, colour: str) -> Iterator[str]:
    """A name and a size in one line, in two lines, or the name shortened; nothing where no letter could be read."""
    for letter in LETTERS:
        if _fits(line, place, letter):
            yield _label(place.x + 4, place.y + letter + 3, line, colour, size=letter)
            return
        if all(_fits(each, place, letter) for each in lines) and place.height >= 2 * letter + 10:
            for number, each in enumerate(lines):
                yield _label(place.x + 4, place.y + (letter + 3) * (number + 1), each, colour, size=letter)
            return
    smallest = LETTERS[-1]
    if place.height >= smallest + 6 and (label := _shortened(lines[0], place.width, smallest)):
        yield _label(place.x + 4, place.y + smallest + 3, label, colour, size=smallest)


def _shortened(words: str, width: float, letter: int, ratio: float = LETTER) -> str:
    """As much of the words as fits; "" if that is too little to tell anything."""
    room = int((width - 8) / (letter * ratio))
    return words if len(words) <= room else f"{words[: room - 1]}…" if room >= SHORTEST else ""


def _field(place: Rectangle, colour: str) -> str:
    x, y = round(place.x, 2), round(place.y, 2)
    width, height = round(place.width, 2), round(place.height, 2)
    return tag("rect", x=x, y=y, width=width, height=height, fill=colour, stroke=PAPER, stroke_width=1)


def _label(x: float, y: float, words: str, colour: str, *, size: int = 12, weight: str = "normal") -> str:
    return text(round(x, 2), round(y, 2), words, fill=PAPER if colour in DARK else INK, size=size, weight=weight)


def _fits(words: str, place: Rectangle, size: int, ratio: float = LETTER) -> bool:
    return len(words) * size * ratio + 8 <= place.width and size + 6 <= place.height
