import math
from xml.etree import ElementTree as ET

import pytest

from bench import plot
from bench.report import Row

SVG = "{http://www.w3.org/2000/svg}"


def rows(variant: str, *values: float, what: str = "restart") -> list[Row]:
    return [Row(variant, what, value, "ms") for value in values]


MEASURED = [*rows("hepto", 20.0, 21.0, 22.0), *rows("systemd", 90.0, 100.0, 110.0)]


def test_an_axis_is_logarithmic_where_values_are_far_apart_and_else_begins_at_nothing() -> None:
    assert plot.axis_of([2.0, 300.0]) == plot.Axis(1.0, 1000.0, logarithmic=True)
    assert plot.axis_of([2.0, 30.0]) == plot.Axis(0.0, 31.5, logarithmic=False)
    assert plot.axis_of([0.0, 1000.0]).logarithmic is False


@pytest.mark.parametrize("axis", [plot.Axis(1.0, 1000.0, logarithmic=True), plot.Axis(0.0, 31.5, logarithmic=False)])
def test_values_keep_their_order_and_stay_within_the_axis(axis: plot.Axis) -> None:
    places = [axis.place(value) for value in (axis.low - 1, axis.low, 5.0, 30.0, axis.high, axis.high + 1)]

    assert places == sorted(places)
    assert places[:2] == [plot.LEFT] * 2
    assert places[-2:] == [plot.WIDTH - plot.RIGHT] * 2


def test_labels_are_few_and_round() -> None:
    assert plot.Axis(1.0, 1000.0, logarithmic=True).ticks() == [1.0, 10.0, 100.0, 1000.0]
    assert plot.Axis(0.0, 31.5, logarithmic=False).ticks() == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]


def test_what_has_one_variant_or_hardly_a_value_gets_no_picture() -> None:
    alone = rows("hepto", 1.0, 2.0, 3.0, what="alone")
    few = [*rows("hepto", 1.0, what="few"), *rows("systemd", 2.0, what="few")]
    nothing = [*rows("hepto", 0.0, 0.0, 0.0, what="deaths"), *rows("serf", 0.0, 0.0, 0.0, what="deaths")]

    assert plot.panels([*alone, *few, *nothing, *MEASURED]) == ["restart"]
    assert plot.draw([*alone, *few, *nothing], "hepto") == ""


def test_every_value_is_a_dot_in_its_lane_and_the_subject_stands_out() -> None:
    root = ET.fromstring(plot.draw([*MEASURED, *rows("systemd", math.inf)], "hepto"))
    dots = [(dot.get("fill"), float(dot.get("cx", "0"))) for dot in root.iter(f"{SVG}circle")]
    words = [element.text for element in root.iter(f"{SVG}text")]

    assert [colour for colour, _ in dots] == [plot.SUBJECT] * 3 + [plot.OTHERS] * 3
    assert [x for _, x in dots] == sorted(x for _, x in dots)
    assert {"restart (ms)", "hepto", "systemd", "21", "100"} <= set(words)
