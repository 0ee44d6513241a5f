from hepto.sim import report
from hepto.sim.faults import Kind
from hepto.sim.plan import Plan
from hepto.sim.simulation import Simulation, run
from tests.sim.runs import faults, kept

KILLED = faults(kill="5s:3", loss="2%")


def test_a_settled_cluster_is_right_from_the_first_moment_and_stays_so() -> None:
    outcome = run(Plan(10, 1, 30.0))

    assert outcome.timeline.equal == [(0.0, True)]
    assert outcome.timeline.turns == []
    assert outcome.wrong == 0


def test_strangers_find_each_other() -> None:
    figures = kept(Plan(10, 1, 30.0, strangers=True))

    assert figures.convergence is not None
    assert figures.convergence < 10


def test_an_end_is_noticed_by_everybody() -> None:
    figures = kept(Plan(10, 1, 30.0, faults=KILLED))

    assert figures.ended == 1
    assert figures.unnoticed == 0
    assert figures.wrong == 0
    assert figures.noticed.p99 is not None


def test_equal_plans_have_equal_outcomes_and_other_seeds_other_ones() -> None:
    first, second = run(Plan(10, 1, 20.0, faults=KILLED)), run(Plan(10, 1, 20.0, faults=KILLED))

    assert (first.timeline, first.traffic) == (second.timeline, second.traffic)
    assert run(Plan(10, 2, 20.0, faults=KILLED)).timeline.turns != first.timeline.turns


def test_an_exact_run_sends_real_streams_and_comes_to_the_same_end() -> None:
    plan = Plan(10, 1, 30.0, faults=KILLED, strangers=True, exact=True)

    figures = kept(plan)

    assert figures.stream_bytes_per_second > 0
    assert figures.ended == 1


def test_time_goes_by_in_steps_up_to_the_end() -> None:
    assert list(Simulation(Plan(2, 1, 3.5)).steps()) == [1.0, 2.0, 3.0, 3.5]


def test_everything_that_is_sent_is_counted() -> None:
    outcome = run(Plan(5, 1, 60.0))

    assert outcome.traffic.packets > 2 * 5 * 50  # a ping and an ack, each second
    assert outcome.traffic.packet_bytes > 40 * outcome.traffic.packets
    assert outcome.traffic.stream_bytes > 0
    assert report.measure(outcome).packets_per_second > 1.5


def test_what_happened_is_in_the_timeline() -> None:
    outcome = run(Plan(5, 1, 10.0, faults=faults(pause="1s..2s:1", partition="3s..4s:0-1", loss="1%")))

    assert [happening.kind for happening in outcome.timeline.happenings] == [Kind.PAUSE, Kind.PARTITION]
