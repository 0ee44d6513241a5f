"""What a cluster survives (targets.md R3, R4): the production core under faults, by seed."""

import pytest

from hepto.sim.plan import Plan
from tests.sim.runs import faults, healed, kept

STORM = {"duplicate": "10%", "reorder": "25%", "corrupt": "5%"}


@pytest.mark.parametrize("end", ["11s", "40s", "3m", "610s"])
def test_views_are_equal_within_two_rounds_of_a_partition_s_heal(end: str) -> None:
    kept(healed(Plan(20, 1, 0.0, faults=faults(partition=f"10s..{end}:0-4"))))


@pytest.mark.parametrize("seed", range(5))
def test_after_a_total_outage_with_all_addresses_changed_the_cluster_finds_together(seed: int) -> None:
    kept(healed(Plan(20, seed, 0.0, faults=faults(unplug="10s..70s:all", renumber="40s:all"))))


@pytest.mark.parametrize("seed", range(10))
def test_at_five_percent_loss_nobody_is_held_for_dead_by_mistake(seed: int) -> None:
    assert kept(Plan(20, seed, 120.0, faults=faults(loss="5%", **STORM))).false_deaths == 0


@pytest.mark.parametrize("seed", range(3))
def test_views_are_equal_again_after_heavy_loss(seed: int) -> None:
    kept(healed(Plan(20, seed, 0.0, faults=faults(loss="10s..60s:30%"))))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100))
def test_an_hour_at_five_percent_loss_kills_nobody(seed: int) -> None:
    assert kept(Plan(20, seed, 3600.0, faults=faults(loss="5%", **STORM))).false_deaths == 0
