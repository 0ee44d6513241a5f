"""What a cluster survives (targets.md R3, R4): the production core under faults, by seed."""

import pytest

from hepto.sim.plan import Plan
from tests.sim.runs import faults, healed, kept

STORM = {"duplicate": "10%", "reorder": "25%", "corrupt": "5%"}


def rarely(*values: object) -> list[object]:
    """Further values of a parameter, for those who have minutes."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]


@pytest.mark.parametrize("end", ["11s", "3m", *rarely("40s", "610s")])
def test_views_are_equal_within_two_rounds_of_a_partition_s_heal(end: str) -> None:
    kept(healed(Plan(20, 1, 0.0, faults=faults(partition=f"10s..{end}:0-4"))))


@pytest.mark.parametrize("seed", [0, 1, 2, *rarely(*range(3, 20))])
def test_after_a_total_outage_with_all_addresses_changed_the_cluster_finds_together(seed: int) -> None:
    kept(healed(Plan(20, seed, 0.0, faults=faults(unplug="10s..70s:all", renumber="40s:all"))))


@pytest.mark.parametrize("seed", range(10))
def test_at_five_percent_loss_nobody_is_held_for_dead_by_mistake(seed: int) -> None:
    assert kept(Plan(20, seed, 120.0, faults=faults(loss="5%", **STORM))).false_deaths == 0


@pytest.mark.parametrize("seed", [1, *rarely(0, *range(2, 10))])
def test_views_are_equal_again_after_heavy_loss(seed: int) -> None:
    kept(healed(Plan(20, seed, 0.0, faults=faults(loss="10s..60s:30%"))))


@pytest.mark.parametrize("size", [128, 256, *rarely(127, 129, 255, 257)])
def test_no_size_at_which_a_count_grows_a_byte_is_special(size: int) -> None:
    figures = kept(Plan(size, 1, 10.0, faults=faults(kill="2s:7"), exact=True))

    assert figures.unnoticed == figures.false_deaths == 0


def test_everybody_notices_the_death_of_each() -> None:
    assert kept(_deaths(1, 20)).unnoticed == 0


@pytest.mark.parametrize("loss", ["1%", "5%"])
def test_over_a_wan_nobody_is_held_for_dead_by_mistake(loss: str) -> None:
    assert kept(_wan(1, 600.0, loss)).false_deaths == 0


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(10))
def test_everybody_notices_each_of_a_thousand_deaths(seed: int) -> None:
    assert kept(_deaths(seed, 100)).unnoticed == 0


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("loss", ["1%", "5%"])
@pytest.mark.parametrize("seed", range(10))
def test_two_hours_over_a_wan_kill_nobody(seed: int, loss: str) -> None:
    assert kept(_wan(seed, 7200.0, loss)).false_deaths == 0


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(5))
def test_after_an_hour_apart_views_are_equal_within_two_rounds(seed: int) -> None:
    kept(healed(Plan(20, seed, 0.0, faults=faults(partition="10s..3610s:0-4"))))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100))
def test_an_hour_at_five_percent_loss_kills_nobody(seed: int) -> None:
    assert kept(Plan(20, seed, 3600.0, faults=faults(loss="5%", **STORM))).false_deaths == 0


def _wan(seed: int, until: float, loss: str) -> Plan:
    return Plan(20, seed, until, profile="wan", faults=faults(latency="40ms..300ms", loss=loss))


def _deaths(seed: int, count: int) -> Plan:
    """One every half minute, of a process that is back after a quarter; out of step with the probes."""
    kills = " ".join(f"{turn * 30}.{turn % 10}s..{turn * 30 + 15}s:{turn * 7 % 20}" for turn in range(1, count + 1))
    return Plan(20, seed, 30.0 * (count + 2), faults=faults(kill=kills))
