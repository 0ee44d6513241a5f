from bench import gossip_sim


def test_ten_different_nodes_end_in_the_first_half() -> None:
    plan = gossip_sim.plan(1000, 120.0, 1)

    assert len({str(fault).split(":")[1] for fault in plan.faults}) == gossip_sim.KILLS
    assert 0 < plan.faults_end() < 60


def test_a_run_is_timed_and_judged() -> None:
    rows = {row.what: row.value for row in gossip_sim.measure(gossip_sim.plan(20, 4.0, 1))}

    assert rows["run"] > 0
    assert rows["false deaths"] == 0
