import pytest

from hepto.gossip.messages import Status
from hepto.gossip.model import Change
from hepto.sim import report
from hepto.sim.faults import Kind, parse
from hepto.sim.plan import Plan
from hepto.sim.report import Spread
from hepto.sim.simulation import Outcome, Traffic
from hepto.sim.timeline import Agreement, Happening, Timeline, Turn

PLAN = Plan(4, 1, 100.0)
TRAFFIC = Traffic(packets=800, packet_bytes=40_000, stream_bytes=4_000)
KILL = Happening(Kind.KILL, 10.0, None, (3,))


def outcome(timeline: Timeline, plan: Plan = PLAN, wrong: int = 0) -> Outcome:
    timeline.equal = timeline.equal or [Agreement(0.0, True)]
    return Outcome(plan, timeline, TRAFFIC, wrong)


def turn(time: float, observer: int, subject: int, change: Change = Change.FAILED) -> Turn:
    return Turn(time, observer, subject, change, Status.SUSPECT if change is Change.SUSPECTED else Status.DEAD)


def test_detection_counts_from_the_end_for_each_that_runs_on() -> None:
    turns = [turn(9.0, 0, 3), *(turn(12.0 + observer, observer, 3) for observer in range(3)), turn(20.0, 0, 3)]

    figures = report.measure(outcome(Timeline(turns, [KILL])))

    assert figures.ended == 1
    assert figures.noticed == Spread(3.0, 4.0)
    assert figures.noticed_by_all == Spread(4.0, 4.0)
    assert figures.unnoticed == 0


def test_who_never_notices_is_counted_but_not_who_is_in_trouble_itself() -> None:
    happenings = [KILL, Happening(Kind.PAUSE, 5.0, 50.0, (0,))]

    assert report.measure(outcome(Timeline([turn(12.0, 1, 3)], happenings))).unnoticed == 1


def test_what_comes_after_the_restart_is_no_detection() -> None:
    happening = Happening(Kind.UNPLUG, 10.0, 20.0, (3,))

    figures = report.measure(outcome(Timeline([turn(25.0, 0, 3)], [happening])))

    assert figures.noticed == Spread(None, None)
    assert figures.ended == 1


def test_mistakes_are_what_is_believed_of_nodes_to_which_nothing_has_happened() -> None:
    turns = [
        turn(12.0, 0, 3),
        turn(12.0, 3, 0, Change.SUSPECTED),
        turn(13.0, 3, 0),
        turn(14.0, 0, 1),
        turn(90.0, 2, 1, Change.SUSPECTED),
    ]
    happenings = [KILL, Happening(Kind.PAUSE, 5.0, 20.0, (1,))]

    figures = report.measure(outcome(Timeline(turns, happenings)))

    assert (figures.false_suspicions, figures.false_deaths) == (2, 1)


def test_convergence_counts_from_the_end_of_the_last_fault() -> None:
    plan = Plan(4, 1, 100.0, faults=(parse(Kind.PARTITION, "10s..40s:0"),))
    timeline = Timeline(equal=[Agreement(0.0, True), Agreement(12.0, False), Agreement(43.5, True)])

    assert report.measure(outcome(timeline, plan)).convergence == pytest.approx(3.5)
    assert (
        report.measure(outcome(Timeline(equal=[Agreement(0.0, True), Agreement(12.0, False)]), plan)).convergence
        is None
    )


def test_traffic_is_per_node_and_second() -> None:
    figures = report.measure(outcome(Timeline()))

    assert (figures.packets_per_second, figures.packet_bytes_per_second) == (2.0, 100.0)
    assert figures.stream_bytes_per_second == 10.0


def test_two_rounds_are_longer_in_a_large_cluster() -> None:
    assert report.heal_limit(PLAN) == 60.0
    assert report.heal_limit(Plan(1000, 1, 100.0)) == 2 * 180.0
    assert report.heal_limit(Plan(4, 1, 100.0, "wan")) == 120.0


def test_broken_promises_are_sentences() -> None:
    late = outcome(Timeline(turns=[turn(50.0, 0, 1)], equal=[Agreement(70.0, True)]))
    never = outcome(Timeline(equal=[Agreement(0.0, False)]), wrong=3)

    first, second = report.broken(late, report.measure(late))
    assert first.startswith("views became equal after 70.0 s, not within 60 s")
    assert second == "1 times a node was held for dead that nothing had happened to"
    assert "not at all" in report.broken(never, report.measure(never))[0]
    fine = outcome(Timeline())
    assert report.broken(fine, report.measure(fine)) == []


def test_in_heavy_loss_a_mistaken_death_breaks_no_promise() -> None:
    plan = Plan(4, 1, 100.0, faults=(parse(Kind.LOSS, "30%"),))
    run = outcome(Timeline(turns=[turn(50.0, 0, 1)]), plan)

    assert report.measure(run).false_deaths == 1
    assert report.broken(run, report.measure(run)) == []


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([], 0.5, None), ([3.0], 0.99, 3.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0), ([4.0, 1.0, 2.0], 0.99, 4.0)],
)
def test_a_quantile_is_one_of_the_values(values: list[float], share: float, found: float | None) -> None:
    assert report.quantile(values, share) == found


def test_a_table_has_a_line_for_each_figure() -> None:
    lines = dict(report.rows(report.measure(outcome(Timeline(equal=[Agreement(0.0, False)])))))

    assert lines["noticed"] == "p50 -, p99 -"
    assert lines["views equal"] == "never"
    assert lines["packets"] == "2.00 a second and node"
