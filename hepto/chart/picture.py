"""The chart of a boot as a picture: a lane for each phase, step, wait and service over time. Writes plain SVG. Pure."""

from collections.abc import Iterator

from hepto.chart.boot import Chart, Row, Section, What
from hepto.svg import END, FAINT, GRID, INK, PAPER, axis, head, tag, text

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1200.0, 200.0, 28.0, 92.0, 52.0
LANE, GAP, HEADING = 14.0, 6.0, 26.0
THIN = 2.0
"""Width of a stretch that takes no time: what happened at an instant is to be seen, too."""
LETTER = 6.4
"""Width of one, about."""
LONGEST_NOTE = 70
SPACE = 6.0
"""Between words and what is drawn."""

COLOURS = {
    What.WORK: "#56b4e9",
    What.WAIT: "#eceef2",
    What.START: "#0072b2",
    What.READY: "#bfe0ef",
    What.FAILED: "#d55e00",
}
"""After Okabe and Ito; darker is more work."""
DARK = (What.START, What.FAILED)
READY_LINE = "#009e73"


def draw(chart: Chart) -> str:
    """The text of an SVG file."""
    return "\n".join([*_Picture(chart).elements(), END, ""])


class _Picture:
    def __init__(self, chart: Chart):
        self._chart = chart
        self._scale = (WIDTH - LEFT - RIGHT) / chart.end
        self._sections = [section for section in Section if any(row.section is section for row in chart.rows)]
        self._floor = TOP + len(self._sections) * HEADING + len(chart.rows) * (LANE + GAP)

    def elements(self) -> Iterator[str]:
        chart = self._chart
        yield from head(WIDTH, self._floor + BOTTOM)
        yield from self._heading()
        yield from axis(chart.end, left=LEFT, right=WIDTH - RIGHT, top=TOP - 6, floor=self._floor)
        y = TOP
        for section in self._sections:
            y += HEADING
            yield text(LEFT - 10, y - 8, section.value, anchor="end", weight="bold")
            for row in chart.rows:
                if row.section is section:
                    yield from self._lane(row, y)
                    y += LANE + GAP
        if chart.ready is not None:
            x = self._x(chart.ready)
            yield tag("line", x1=x, x2=x, y1=TOP - 6, y2=self._floor, stroke=READY_LINE, stroke_width=2)
            yield text(x - 4, TOP + 4, "ready", anchor="end", fill=READY_LINE, weight="bold")

    def _x(self, time: float) -> float:
        return round(LEFT + min(time, self._chart.end) * self._scale, 2)

    def _heading(self) -> Iterator[str]:
        chart = self._chart
        yield text(LEFT, 30, chart.title, size=18, weight="bold")
        left_out = f"; {chart.left_out} services that came later are left out" if chart.left_out else ""
        yield text(LEFT, 50, f"seconds since the kernel began{left_out}", fill=FAINT)
        x = LEFT
        for what, colour in COLOURS.items():
            yield tag("rect", x=x, y=60, width=14, height=14, fill=colour, stroke=FAINT, stroke_width=0.5)
            yield text(x + 20, 71, what.value)
            x += 34 + 8 * len(what.value)

    def _lane(self, row: Row, y: float) -> Iterator[str]:
        yield text(LEFT - 10, y + LANE - 3, row.name, anchor="end")
        yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y + LANE + GAP / 2, y2=y + LANE + GAP / 2, stroke=GRID)
        for stretch in row.stretches:
            x = self._x(stretch.begin)
            width = max(THIN, round(self._x(stretch.end) - x, 2))
            edge = {"stroke": FAINT, "stroke_width": 0.5} if stretch.what is What.WAIT else {}
            yield tag("rect", x=x, y=y, width=width, height=LANE, fill=COLOURS[stretch.what], **edge)
        yield from self._words(row, y + LANE - 3)

    def _words(self, row: Row, y: float) -> Iterator[str]:
        """When it began and how long it took, where there is room; and what there is to know of it, where it waits or
        behind the times."""
        begun, seconds = row.work
        times = f"{begun:.2f} s" + (f" + {seconds:.2f} s" if seconds is not None else "")
        note = row.note if len(row.note) <= LONGEST_NOTE else f"{row.note[:LONGEST_NOTE]}…"
        waits = row.stretches[0] if row.stretches[0].what is What.WAIT else None
        if note and waits is not None and self._x(waits.end) - self._x(waits.begin) > 2 * SPACE + _width(note):
            yield text(self._x(waits.begin) + SPACE, y, note, size=11)
            note = ""
        words = f"{times}; {note}" if note else times
        drawn = [stretch for stretch in row.stretches if stretch.what is not What.READY] or row.stretches
        x, limit = self._x(max(stretch.end for stretch in drawn)) + SPACE, WIDTH - RIGHT
        if self._chart.ready is not None and x < self._x(self._chart.ready):
            limit = self._x(self._chart.ready) - SPACE
        if x + _width(words) <= limit:
            yield text(x, y, words, size=11)
        elif self._x(begun) - SPACE - _width(words) >= LEFT:
            yield text(self._x(begun) - SPACE, y, words, size=11, anchor="end")
        else:  # it is as long as the chart
            yield text(self._x(begun) + SPACE, y, words, size=11, fill=PAPER if drawn[-1].what in DARK else INK)


def _width(words: str) -> float:
    return len(words) * LETTER
