import pytest

from hepto.sim.timeline import Agreement, Timeline


@pytest.mark.parametrize(
    ("equal", "begin", "found"),
    [
        ([], 0.0, None),
        ([(0.0, True)], 5.0, 5.0),
        ([(0.0, True), (4.0, False)], 5.0, None),
        ([(0.0, True), (4.0, False), (7.0, True)], 5.0, 7.0),
        ([(0.0, True), (6.0, False)], 5.0, 5.0),
        ([(0.0, True), (6.0, False), (7.0, True)], 6.5, 7.0),
        ([(5.0, True), (6.0, False)], 5.0, 5.0),
    ],
)
def test_the_first_moment_of_agreement_after_an_instant_is_found(
    equal: list[tuple[float, bool]], begin: float, found: float | None
) -> None:
    assert Timeline(equal=[Agreement(*item) for item in equal]).equal_after(begin) == found
