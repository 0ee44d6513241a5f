import math

from bench import gossip_table
from bench.report import Row


def rows(system: str, figure: str, *values: float) -> list[Row]:
    return [Row(system, gossip_table.labelled(figure, 20), value, "s") for value in values]


MEASURED = [
    *rows("hepto", "kill -9, all", 2.0, 3.0, 2.5),
    *rows("serf", "kill -9, all", 5.0, 10.0, 6.0),
    *rows("serf", "bytes, idle", 426.0),
    *rows("hepto", "false failures, idle", 1.0),
    *rows("hepto", "false failures, kills", 2.0),
]


def test_a_kill_that_nobody_noticed_is_the_worst() -> None:
    assert gossip_table.high([1.0, math.inf, 2.0]) == math.inf


def test_the_table_has_a_ratio_where_both_were_measured() -> None:
    lines = gossip_table.markdown(MEASURED, ("hepto", "serf"), (20,)).splitlines()

    assert "| kill -9 noticed by all, p50 | 20 | 2.5 s | 6 s | 0.42 |" in lines
    assert "| bytes sent a node, idle | 20 | – | 426 B/s |  |" in lines
    assert "| false failures, idle and during kills | 20 | 3 | – |  |" in lines
    assert not any("starved" in line for line in lines)


def test_targets_want_a_subject_and_a_baseline() -> None:
    both = gossip_table.targets(("hepto", "serf"), (20, 60))
    alone = gossip_table.targets(("hepto", "kinship"), (20,))

    assert {target.what for target in both if target.baseline == "serf"} == {
        f"{figure}, N={members}" for figure in ("kill -9, all", "bytes, idle", "bytes, kills") for members in (20, 60)
    }
    assert [target.what for target in alone] == ["false failures, idle, N=20", "false failures, kills, N=20"]
    assert gossip_table.targets(("serf",), (20,)) == []
