"""The chart of a boot for a terminal of 80 columns, in plain ASCII: a serial console knows nothing else. Pure."""

from collections.abc import Iterator

from hepto.chart.boot import Chart, Row, Section, What

NAME, BAR = 23, 40
SIGNS = {What.WORK: "=", What.WAIT: ".", What.START: "-", What.READY: "#", What.FAILED: "x"}


def draw(chart: Chart) -> list[str]:
    """The lines."""
    lines = [chart.title, f"{'':{NAME}} {_axis(chart.end)}   from   took"]
    for section in Section:
        rows = [row for row in chart.rows if row.section is section]
        if rows:
            lines += ["", section.value] if section is not Section.KERNEL else []
            lines += [_row(row, chart) for row in rows]
    legend = "  ".join(f"{sign} {what.value}" for what, sign in SIGNS.items())
    lines += ["", f"{legend}  (times in seconds)"]
    if chart.left_out:
        lines.append(f"{chart.left_out} services came later and are left out")
    return lines


def _axis(end: float) -> str:
    """The beginning, the middle and the end."""
    middle, last = f"{end / 2:.1f}", f"{end:.1f}"
    line = "0".ljust(BAR // 2 - len(middle) // 2) + middle
    return line.ljust(BAR - len(last)) + last


def _row(row: Row, chart: Chart) -> str:
    bar = "".join(_cell(row, cell, chart.end) for cell in range(BAR))
    begin, seconds = row.work
    name = row.name if len(row.name) <= NAME else f"{row.name[: NAME - 1]}~"
    return f"{name:{NAME}} {bar}{_seconds(begin):>8}{_seconds(seconds):>7}"


def _seconds(time: float | None) -> str:
    if time is None:
        return "-"
    return f"{time:.2f}" if time < 1000 else f"{time:.0f}"


def _cell(row: Row, cell: int, end: float) -> str:
    """What the row is in this part of the time: the last of it, so that a short stretch is seen."""
    low, high = cell * end / BAR, (cell + 1) * end / BAR
    return next(_signs(row, low, high), " ")


def _signs(row: Row, low: float, high: float) -> Iterator[str]:
    for stretch in reversed(row.stretches):
        if stretch.begin < high and (stretch.end > low or low <= stretch.begin):
            yield SIGNS[stretch.what]
