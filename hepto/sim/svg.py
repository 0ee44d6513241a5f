"""A run as a picture: a lane for each node that shows what the others believed of it, over time. Writes plain SVG.

A lane is as high as the cluster: its colours are the parts of the others that hold the node for dead, suspect or alive.
So news is seen to spread: from the first node that suspects, to all that hold it for dead. The colours differ in
brightness too, for whoever does not tell them by their hue. Below a lane is what was done to the node.
"""

from collections.abc import Iterator, Sequence

from hepto.sim.faults import Kind
from hepto.sim.lanes import Belief, Step, eventful, lanes
from hepto.sim.plan import Plan
from hepto.sim.timeline import Happening, Timeline
from hepto.svg import END, FAINT, GRID, INK, PAPER, axis, head, tag, text

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1200.0, 88.0, 28.0, 104.0, 52.0
LANE, GAP = 20.0, 9.0
MOST_LANES = 60
LONGEST_LINE = 130

COLOURS = {
    Belief.DEAD: "#4b2067",
    Belief.SUSPECT: "#e69f00",
    Belief.LEFT: "#8b93a3",
    Belief.ALIVE: "#bfe0ef",
    Belief.UNKNOWN: "#eceef2",
    Belief.NONE: PAPER,
}
"""After Okabe and Ito; dead darkened and alive lightened, so that brightness alone tells them apart."""
CUT, PAUSED = "#d55e00", "#0072b2"
MARKS = {
    Kind.KILL: ("M-4,-4L4,4M4,-4L-4,4", "process ends"),
    Kind.UNPLUG: ("M-4,-4H4V4H-4ZM-4,-4L4,4M4,-4L-4,4", "machine ends"),
    Kind.RESTART: ("M-4,4L0,-4L4,4Z", "process starts"),
    Kind.RENUMBER: ("M0,-5L5,0L0,5L-5,0Z", "new address"),
}
"""Shapes around (0, 0)."""
SPANS = {Kind.PARTITION: (CUT, "cut off"), Kind.PAUSE: (PAUSED, "paused")}
STARTED_AGAIN = (Kind.KILL, Kind.UNPLUG)


def draw(plan: Plan, timeline: Timeline) -> str:
    """The picture of a run, as the text of an SVG file."""
    return "\n".join([*_Picture(plan, timeline).elements(), END, ""])


class _Picture:
    def __init__(self, plan: Plan, timeline: Timeline):
        self._plan = plan
        self._timeline = timeline
        self._subjects = eventful(plan, timeline, MOST_LANES)
        self._row = {subject: row for row, subject in enumerate(self._subjects)}
        self._scale = (WIDTH - LEFT - RIGHT) / plan.until
        self._floor = TOP + len(self._subjects) * (LANE + GAP)

    def elements(self) -> Iterator[str]:
        height = self._floor + BOTTOM
        yield from head(WIDTH, height)
        yield from self._heading()
        yield from axis(self._plan.until, left=LEFT, right=WIDTH - RIGHT, top=TOP - 6, floor=self._floor)
        steps = lanes(self._plan, self._timeline, self._subjects, resolution=0.5 / self._scale)
        for happening in self._timeline.happenings:
            if happening.kind is Kind.PARTITION and happening.begin < self._plan.until:
                yield self._shade(happening)
        for subject in self._subjects:
            yield from self._lane(subject, steps[subject])
        for happening in self._timeline.happenings:
            yield from self._happening(happening)

    def _x(self, time: float) -> float:
        return round(LEFT + min(max(time, 0.0), self._plan.until) * self._scale, 2)

    def _y(self, subject: int) -> float:
        return TOP + self._row[subject] * (LANE + GAP)

    def _heading(self) -> Iterator[str]:
        plan = self._plan
        yield text(LEFT, 30, f"What {plan.nodes} nodes believed of each other", size=18, weight="bold")
        left_out = plan.nodes - len(self._subjects)
        about = plan.command() if len(plan.command()) <= LONGEST_LINE else f"{plan.command()[:LONGEST_LINE]}…"
        yield text(LEFT, 50, about + (f"   ({left_out} calm nodes left out)" if left_out else ""), fill=FAINT)
        x = LEFT
        for belief in (Belief.ALIVE, Belief.SUSPECT, Belief.DEAD, Belief.LEFT, Belief.UNKNOWN):
            yield tag("rect", x=x, y=66, width=14, height=14, fill=COLOURS[belief], stroke=FAINT, stroke_width=0.5)
            yield text(x + 20, 77, belief.name.lower())
            x += 34 + 8 * len(belief.name)
        kinds = {happening.kind for happening in self._timeline.happenings}
        if any(happening.end for happening in self._timeline.happenings if happening.kind in STARTED_AGAIN):
            kinds.add(Kind.RESTART)
        for kind, (colour, word) in SPANS.items():
            if kind in kinds:
                yield tag("rect", x=x, y=70, width=22, height=5, fill=colour)
                yield text(x + 28, 77, word)
                x += 44 + 8 * len(word)
        for kind, (shape, word) in MARKS.items():
            if kind in kinds:
                yield _mark(x + 6, 73, shape)
                yield text(x + 18, 77, word)
                x += 34 + 8 * len(word)

    def _lane(self, subject: int, steps: Sequence[Step]) -> Iterator[str]:
        y = self._y(subject)
        yield text(LEFT - 10, y + 14, f"node {subject}", anchor="end")
        others = self._plan.nodes - 1
        top = [0] * len(steps)
        for belief in Belief:
            bottom, top = top, [low + step.counts[belief] for low, step in zip(top, steps, strict=True)]
            if belief is not Belief.NONE and top != bottom:
                path = self._area([step.time for step in steps], bottom, top, y + LANE, LANE / max(1, others))
                yield tag("path", d=path, fill=COLOURS[belief])
        yield tag("rect", x=LEFT, y=y, width=WIDTH - LEFT - RIGHT, height=LANE, fill="none", stroke=GRID)

    def _area(self, times: Sequence[float], bottom: Sequence[int], top: Sequence[int], base: float, unit: float) -> str:
        """The stairs between two lines, along the upper one and back along the lower one."""
        edges = [*map(self._x, times), self._x(self._plan.until)]
        there = "".join(f"V{base - level * unit:.2f}H{edges[n + 1]:g}" for n, level in enumerate(top))
        back = [f"V{base - level * unit:.2f}H{edges[n]:g}" for n, level in enumerate(bottom)]
        return f"M{edges[0]:g},{base:.2f}{there}{''.join(reversed(back))}Z"

    def _end(self, happening: Happening) -> float:
        return self._x(self._plan.until if happening.end is None else happening.end)

    def _shade(self, partition: Happening) -> str:
        x, height = self._x(partition.begin), self._floor - TOP + 6
        return tag("rect", x=x, y=TOP - 6, width=self._end(partition) - x, height=height, fill=CUT, opacity=0.13)

    def _happening(self, happening: Happening) -> Iterator[str]:
        if happening.begin >= self._plan.until:
            return
        shown = [node for node in happening.group or happening.nodes if node in self._row]
        begin, end = self._x(happening.begin), self._end(happening)
        for node in shown:
            y = self._y(node)
            if happening.kind in SPANS:
                colour = SPANS[happening.kind][0]
                yield tag("rect", x=begin, y=y + LANE + 1, width=end - begin, height=5, fill=colour)
                continue
            yield _mark(begin, y + LANE / 2, MARKS[happening.kind][0])
            if happening.kind in STARTED_AGAIN and happening.end is not None and happening.end < self._plan.until:
                yield _mark(end, y + LANE / 2, MARKS[Kind.RESTART][0])


def _mark(x: float, y: float, shape: str) -> str:
    """In ink on a white halo: to be seen on every colour."""
    halo = tag("path", d=shape, fill="none", stroke=PAPER, stroke_width=5, stroke_linejoin="round")
    line = tag("path", d=shape, fill=PAPER, stroke=INK, stroke_width=1.8, stroke_linejoin="round")
    return f'<g transform="translate({x:g} {y:g})">{halo}{line}</g>'
