"""What is said of a run with faults: nothing is reached by what was not tried."""

import csv
from pathlib import Path

from bench import faults
from bench.report import Row
from tests.kernel.faults.campaign import FAILED, NOT_REACHED, SURVIVED, Outcome
from tests.kernel.faults.kills import Tally
from tests.kernel.faults.sites import Site

ONE = Site("init/pid1.py", 1, 2, (1, 5), "run", "f")
TWO = Site("init/pid1.py", 2, 2, (2, 5), "run", "g")
OTHER = Site("hepto/node/agent.py", 1, 2, (1, 5), "main", "h")


def outcome(site: Site, result: str) -> Outcome:
    return Outcome(site, "OSError:24", "death", result, 0.123, "detail")


def test_calls_are_counted_by_who_makes_them_and_what_came_of_it() -> None:
    outcomes = [outcome(ONE, SURVIVED), outcome(TWO, NOT_REACHED), outcome(OTHER, f"{FAILED} without a fault")]

    assert faults.summary(outcomes, [ONE, TWO, OTHER]) == [
        Row("PID 1", "calls", 2, ""),
        Row("PID 1", "made to raise", 1, ""),
        Row("PID 1", "survived", 1, ""),
        Row("agent", "calls", 1, ""),
        Row("agent", "made to raise", 1, ""),
        Row("agent", "survived", 0, ""),
    ]


def test_a_target_is_reached_by_all_of_enough_and_missed_by_one() -> None:
    def raised(survived: int, of: int) -> list[Row]:
        return [Row("PID 1", "made to raise", of, ""), Row("PID 1", "survived", survived, "")]

    assert faults.verdicts(raised(1000, 1000), []) == [
        "exceptions survived: 1000 of 1000 (target all of 1000 and more): reached"
    ]
    assert faults.verdicts(raised(1000, 1001), [])[0].endswith("MISSED")
    assert faults.verdicts(raised(999, 999), [])[0].endswith("MISSED")
    assert faults.verdicts([], []) == []


def test_an_agent_that_is_late_a_service_that_is_down_and_a_lost_line_are_missed() -> None:
    def killed(lost: int) -> list[Row]:
        return faults.tallied([Tally("etcd", 100, 101, 500, lost, (), "ready")])

    back = [Row("SIGKILL", "agent back again", seconds, "s") for seconds in (0.5, 1.2)]
    assert faults.verdicts(back, []) == ["agent back after a signal: 1.20 s at most (target <= 1.00): MISSED"]
    assert faults.verdicts(back[:1], [])[0].endswith("reached")
    assert faults.verdicts(killed(0), []) == ["100 kills: 0 services down, 0 lines lost (target 0, 0): reached"]
    assert faults.verdicts(killed(1), [])[0].endswith("MISSED")
    assert faults.verdicts(killed(0), ["etcd"])[0].endswith("MISSED")


def test_the_table_has_a_row_of_each_call_as_soon_as_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "bench" / "calls.csv"
    table = faults.Table(path)
    table.add(outcome(ONE, SURVIVED))
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    table.close()

    assert row == {
        "site": "init/pid1.py:1:2",
        "function": "run",
        "call": "f",
        "exception": "OSError:24",
        "story": "death",
        "result": "survived",
        "seconds": "0.12",
        "detail": "detail",
    }
