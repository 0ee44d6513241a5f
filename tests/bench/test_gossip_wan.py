import itertools

import pytest

from bench import gossip_wan
from bench.gossip_systems import OTHERS, SERF_WAN
from hepto.sim.faults import Kind


def test_nodes_end_one_after_the_other_and_are_back_before_the_next() -> None:
    ends = [fault for fault in gossip_wan.plan(Kind.KILL, "1%", 7200.0, 1).faults if fault.kind is Kind.KILL]
    times = [(fault.when.begin, fault.when.end) for fault in ends if fault.when]

    assert len(ends) == 10
    assert all(end is not None and end < begin for (_, end), (begin, _) in itertools.pairwise(times))


@pytest.mark.parametrize("kind", gossip_wan.ENDS)
def test_a_short_run_is_measured(kind: str) -> None:
    rows = {row.what: row.value for row in gossip_wan.measure(kind, "1%", 1260.0, 1)}

    assert 0 < rows[f"{kind}, all"] < 60
    assert rows["false deaths"] == 0


def test_serf_runs_with_its_own_profile_for_this() -> None:
    assert "-profile=wan" in OTHERS[SERF_WAN].argv(1)
