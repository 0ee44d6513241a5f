import itertools
from xml.etree import ElementTree as ET

from hepto.gossip.messages import Status
from hepto.gossip.model import Change
from hepto.sim import svg
from hepto.sim.faults import Kind, parse
from hepto.sim.lanes import Belief
from hepto.sim.plan import Plan
from hepto.sim.timeline import Happening, Timeline, Turn

NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(plan: Plan, timeline: Timeline) -> ET.Element:
    return ET.fromstring(svg.draw(plan, timeline))


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def luminance(colour: str) -> float:
    """As the eye weighs red, green and blue (ITU-R BT.709)."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_is_well_formed_and_has_a_lane_for_each_node_and_an_axis() -> None:
    found = texts(drawn(Plan(5, 9, 30.0), Timeline()))

    assert [text for text in found if text.startswith("node ")] == [f"node {number}" for number in range(5)]
    assert {"0", "10", "30", "seconds", "alive", "suspect", "dead"} <= set(found)
    assert any("--seed 9" in text for text in found)


def test_what_was_done_is_marked_and_explained() -> None:
    happenings = [
        Happening(Kind.PARTITION, 1.0, 9.0, (0, 1, 2), (0,)),
        Happening(Kind.PAUSE, 2.0, 3.0, (1,)),
        Happening(Kind.KILL, 4.0, 8.0, (2,)),
        Happening(Kind.RENUMBER, 5.0, None, (0,)),
        Happening(Kind.UNPLUG, 99.0, None, (0,)),
    ]

    root = drawn(Plan(3, 9, 30.0), Timeline(happenings=happenings))

    assert {"cut off", "paused", "process ends", "process starts", "new address"} <= set(texts(root))
    marks = [group.get("transform") for group in root.iter(f"{NAMESPACE}g")]
    assert len(marks) == 4 + 3  # four in the legend (one of them never happens); end, start and move in the lanes
    colours = [element.get("fill") for element in root.iter(f"{NAMESPACE}rect")]
    assert colours.count(svg.CUT) == 3  # legend, shade, bar
    assert colours.count(svg.PAUSED) == 2


def test_beliefs_are_drawn_in_their_colours() -> None:
    turns = [Turn(5.0, 0, 1, Change.FAILED, Status.DEAD)]

    root = drawn(Plan(2, 9, 30.0), Timeline(turns=turns))

    paths = {element.get("fill"): element.get("d") for element in root.iter(f"{NAMESPACE}path")}
    assert set(paths) == {svg.COLOURS[Belief.ALIVE], svg.COLOURS[Belief.DEAD]}


def test_a_long_command_is_cut_and_what_is_in_it_escaped() -> None:
    cuts = tuple(parse(Kind.PARTITION, f"{second}s..99s:0>1") for second in range(20))

    found = texts(drawn(Plan(2, 9, 30.0, faults=cuts), Timeline()))

    assert any(text.endswith("…") and "0>1" in text for text in found)


def test_brightness_alone_tells_the_beliefs_apart() -> None:
    bright = sorted(luminance(svg.COLOURS[belief]) for belief in (Belief.ALIVE, Belief.SUSPECT, Belief.DEAD))

    assert min(high - low for low, high in itertools.pairwise(bright)) > 0.15
