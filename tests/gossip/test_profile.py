"""The arithmetic, against what the Go library computes from the same arguments."""

import pytest

from hepto.gossip.profile import (
    LAN,
    PROFILES,
    confirmations_wanted,
    push_pull_interval,
    retransmit_limit,
    suspicion_minimum,
    suspicion_total,
    transmissions,
)
from tests.gossip.vectors import load


def rows(formula: str) -> list[tuple[list[int], int]]:
    """Arguments and result of each."""
    (vector,) = (vector for vector in load("formulas", "formula") if vector["formula"] == formula)
    return list(zip(vector["rows"], vector["expect"], strict=True))


def test_every_formula_of_the_vectors_is_one_of_these() -> None:
    assert {vector["formula"] for vector in load("formulas")} == {
        "push_pull_interval_s",
        "remaining_suspicion_ms",
        "retransmit_limit",
        "suspicion_timeout_us",
    }


def test_the_interval_of_push_pull_is_the_reference_s() -> None:
    for (base, members), seconds in rows("push_pull_interval_s"):
        assert push_pull_interval(base, members) == seconds, (base, members)


def test_the_shortest_suspicion_is_the_reference_s() -> None:
    for (factor, members, interval), microseconds in rows("suspicion_timeout_us"):
        shortest = suspicion_minimum(factor, members, interval / 1000)
        assert shortest == pytest.approx(microseconds / 1e6, abs=1e-9), (factor, members, interval)


def test_confirmations_shorten_a_suspicion_as_the_reference_s_do() -> None:
    for (confirmations, wanted, elapsed, minimum, maximum), left in rows("remaining_suspicion_ms"):
        total = suspicion_total(confirmations, wanted, minimum / 1000, maximum / 1000)
        assert total - elapsed / 1000 == pytest.approx(left / 1000, abs=1e-9), (confirmations, wanted, elapsed)


def test_the_limit_of_transmissions_is_the_reference_s() -> None:
    for (factor, members), limit in rows("retransmit_limit"):
        assert retransmit_limit(factor, members) == limit, (factor, members)


@pytest.mark.parametrize("factor", [2, 4])
def test_news_is_sent_more_often_in_larger_clusters_and_never_more_than_by_the_reference(factor: int) -> None:
    counts = [transmissions(factor, members) for members in range(1, 2000)]

    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert all(count <= retransmit_limit(factor, members) for members, count in enumerate(counts, 1))


@pytest.mark.parametrize(("members", "wanted"), [(1, 0), (3, 0), (4, 2), (100, 2)])
def test_a_suspicion_waits_for_confirmations_only_where_enough_others_can_give_them(members: int, wanted: int) -> None:
    assert confirmations_wanted(LAN.suspicion_factor, members) == wanted


def test_nobody_to_confirm_is_reason_for_the_shortest_suspicion() -> None:
    assert suspicion_total(0, 0, 4.0, 24.0) == 4.0


@pytest.mark.parametrize("name", PROFILES)
def test_a_probe_has_time_left_after_each_of_its_steps(name: str) -> None:
    profile = PROFILES[name]

    assert 0 < profile.early < profile.probe_timeout < profile.probe_interval
    assert profile.gossip_interval < profile.probe_interval
