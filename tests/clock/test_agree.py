from hypothesis import given
from hypothesis import strategies as st

from hepto.clock.agree import TOLERANCE, agree

OFFSETS = st.floats(-1e10, 1e10)


def test_one_peer_decides_nothing() -> None:
    assert agree([]) is None
    assert agree([7.0]) is None
    assert agree([7.0], 7.0) is None


def test_two_peers_decide_if_they_agree() -> None:
    assert agree([7.0, 8.0]) == 7.0
    assert agree([7.0, 7.1 + TOLERANCE]) is None


def test_of_three_the_one_in_the_middle_decides() -> None:
    assert agree([1e9, 7.0, -1e9]) == 7.0
    assert agree([9.0, 8.0], 7.0) == 8.0


@given(st.lists(OFFSETS, min_size=2, max_size=9), OFFSETS, st.integers(0, 9))
def test_no_single_liar_leads_out_of_the_range_of_the_others(honest: list[float], lie: float, place: int) -> None:
    told = [*honest[:place], lie, *honest[place:]]

    agreed = agree(told)

    assert agreed is not None
    assert min(honest) <= agreed <= max(honest)


@given(OFFSETS, OFFSETS)
def test_of_two_a_liar_moves_nothing_by_more_than_the_tolerance(honest: float, lie: float) -> None:
    agreed = agree([honest, lie])

    assert agreed is None or abs(agreed - honest) <= TOLERANCE
