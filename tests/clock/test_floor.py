import pytest

from hepto.clock.floor import PLAUSIBLE_YEARS, YEAR, Floor, plausible, step

BUILT = 1_700_000_000.0
END = BUILT + PLAUSIBLE_YEARS * YEAR


@pytest.mark.parametrize(
    ("now", "floor", "expected"),
    [
        (0.0, Floor(), None),
        (0.0, Floor(built=BUILT), BUILT),
        (0.0, Floor(built=BUILT, saved=BUILT + 9), BUILT + 9),
        (0.0, Floor(saved=BUILT), BUILT),
        (BUILT + 10, Floor(built=BUILT, saved=BUILT + 9), None),
        (BUILT + 8, Floor(built=BUILT, saved=BUILT + 9), BUILT + 9),
        (0.0, Floor(built=BUILT, saved=BUILT - 9), BUILT),
        (0.0, Floor(built=BUILT, issued=BUILT + 9), BUILT + 9),
        (0.0, Floor(built=BUILT, saved=BUILT + 9, issued=END + 1), BUILT + 9),
    ],
)
def test_the_clock_is_only_ever_set_forward(now: float, floor: Floor, expected: float | None) -> None:
    assert step(now, floor) == expected


def test_a_saved_time_from_a_far_future_does_not_keep_the_clock_there() -> None:
    assert step(BUILT, Floor(built=BUILT, saved=END + 1)) is None


@pytest.mark.parametrize(
    ("now", "expected"), [(BUILT - 1, False), (BUILT, True), (END, True), (END + 1, False), (0.0, False)]
)
def test_a_ca_is_dated_only_between_the_build_and_five_years_after(now: float, expected: bool) -> None:
    assert plausible(now, Floor(built=BUILT)) is expected


@pytest.mark.parametrize(
    ("time", "expected"), [(BUILT - 1, False), (BUILT + 40, True), (BUILT + 39, False), (END, True), (END + 1, False)]
)
def test_others_can_only_name_a_time_after_the_floor_and_before_the_end(time: float, expected: bool) -> None:
    assert Floor(built=BUILT, saved=BUILT + 100).accepts(time) is expected


def test_without_an_image_no_time_is_plausible() -> None:
    assert not plausible(BUILT, Floor())
    assert not Floor().accepts(BUILT)
