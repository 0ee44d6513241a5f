import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.sim.network import HOLD, JITTER, Cut, Network, Quality, separate


def network(**quality: float) -> Network:
    return Network(random.Random(5), Quality(**quality))


def test_a_link_is_as_long_in_both_directions_and_others_are_of_other_lengths() -> None:
    links = network(shortest=0.04, longest=0.3)

    lengths = {links.latency(one, other) for one in range(20) for other in range(one)}

    assert all(links.latency(one, other) == links.latency(other, one) for one in range(20) for other in range(one))
    assert len(lengths) > 180
    assert min(lengths) < 0.06
    assert max(lengths) > 0.28


@given(one=st.integers(0, 5000), other=st.integers(0, 5000))
def test_a_latency_is_within_its_bounds(one: int, other: int) -> None:
    assert 0.04 <= network(shortest=0.04, longest=0.3).latency(one, other) <= 0.3


def test_without_faults_every_datagram_arrives_once_and_in_time() -> None:
    links = network(shortest=0.01, longest=0.01)

    assert all(0.01 <= delay <= 0.01 * (1 + JITTER) for _ in range(100) for (delay,) in [links.deliveries(0, 1)])


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_as_many_datagrams_are_lost_as_asked_for(rate: float) -> None:
    links = network(loss=rate)

    lost = sum(not links.deliveries(0, 1) for _ in range(5000))

    assert lost / 5000 == pytest.approx(rate, abs=0.02)


def test_as_many_datagrams_arrive_twice_as_asked_for() -> None:
    links = network(duplicate=0.1)

    assert sum(len(links.deliveries(0, 1)) == 2 for _ in range(5000)) / 5000 == pytest.approx(0.1, abs=0.02)


def test_a_reordered_datagram_is_held_back_but_not_for_ever() -> None:
    links = network(shortest=0.01, longest=0.01, reorder=1.0)

    delays = [links.deliveries(0, 1)[0] for _ in range(1000)]

    assert max(delays) > 0.03
    assert max(delays) <= 0.01 * (1 + JITTER) * (1 + HOLD)


def test_a_damaged_datagram_differs_in_one_byte() -> None:
    links = network(corrupt=1.0)

    arrived = links.carry(bytes(100))

    assert len(arrived) == 100
    assert sum(byte != 0 for byte in arrived) == 1
    assert network().carry(b"data") == b"data"
    assert links.carry(b"") == b""


def test_a_partition_cuts_both_ways_and_a_cut_one_way() -> None:
    links = network()
    links.cuts += separate((0, 1), (2, 3))

    assert links.deliveries(0, 2) == links.deliveries(3, 1) == ()
    assert len(links.deliveries(0, 1)) == len(links.deliveries(2, 3)) == 1
    links.cuts[:] = [Cut(frozenset({0}), frozenset({2}))]
    assert links.deliveries(0, 2) == ()
    assert len(links.deliveries(2, 0)) == 1


def test_a_stream_repeats_until_everything_has_arrived() -> None:
    assert network().retries(1000) == 0
    assert network(loss=1.0).retries(3) >= 1
    assert network(corrupt=0.5).retries(1000) >= 5


def test_equal_dice_make_equal_networks() -> None:
    one, other = network(shortest=0.1, longest=0.2, loss=0.5), network(shortest=0.1, longest=0.2, loss=0.5)

    assert [one.deliveries(0, 1) for _ in range(50)] == [other.deliveries(0, 1) for _ in range(50)]
