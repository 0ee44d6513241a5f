import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.treemap import Rectangle, squarified

SIZES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=40).map(lambda sizes: sorted(sizes, reverse=True))
FRAME = Rectangle(10, 20, 600, 400)
SLACK = 1e-6


def test_the_example_of_the_paper_is_laid_out_as_there() -> None:
    # Bruls, Huizing, van Wijk, section 3.1: 6, 6, 4, 3, 2, 2, 1 in 6 x 4; the first column holds 6 and 6, and so on.
    found = squarified([6, 6, 4, 3, 2, 2, 1], Rectangle(0, 0, 6, 4))

    assert [(round(each.x, 2), round(each.y, 2)) for each in found] == [
        *((0, 0), (0, 2), (3, 0), (4.71, 0), (3, 2.33), (4.2, 2.33), (5.4, 2.33)),
    ]
    assert [round(each.width, 2) for each in found] == [3, 3, 1.71, 1.29, 1.2, 1.2, 0.6]


@given(SIZES)
def test_areas_are_in_proportion_to_sizes(sizes: list[float]) -> None:
    found = squarified(sizes, FRAME)

    for size, place in zip(sizes, found, strict=True):
        assert place.area == pytest.approx(FRAME.area * size / sum(sizes), rel=1e-6, abs=SLACK)


@given(SIZES)
def test_all_are_inside_the_frame_and_none_overlaps_another(sizes: list[float]) -> None:
    found = squarified(sizes, FRAME)

    for index, one in enumerate(found):
        assert one.x >= FRAME.x - SLACK
        assert one.y >= FRAME.y - SLACK
        assert one.x + one.width <= FRAME.x + FRAME.width + SLACK
        assert one.y + one.height <= FRAME.y + FRAME.height + SLACK
        for other in found[index + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert across <= SLACK or down <= SLACK


@given(st.lists(st.floats(1, 4), min_size=8, max_size=40).map(lambda sizes: sorted(sizes, reverse=True)))
def test_sizes_of_one_magnitude_give_no_splinters(sizes: list[float]) -> None:
    for place in squarified(sizes, FRAME):
        assert max(place.width / place.height, place.height / place.width) < 8


def test_nothing_gives_nothing_and_a_size_of_0_is_refused() -> None:
    assert squarified([], FRAME) == []
    for size in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="not above 0"):
            squarified([1.0, size], FRAME)


def test_a_margin_never_makes_a_negative_rectangle() -> None:
    assert Rectangle(0, 0, 3, 10).inset(2, top=1) == Rectangle(2, 3, 0, 5)
