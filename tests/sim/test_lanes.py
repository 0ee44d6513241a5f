from hepto.gossip.messages import Status
from hepto.gossip.model import Change
from hepto.sim.faults import Kind
from hepto.sim.lanes import OF_STATUS, Belief, eventful, lanes
from hepto.sim.plan import Plan
from hepto.sim.timeline import Happening, Timeline, Turn

PLAN = Plan(4, 1, 60.0)


def turn(time: float, observer: int, subject: int, change: Change, status: Status) -> Turn:
    return Turn(time, observer, subject, change, status)


def counts(**of: int) -> tuple[int, ...]:
    return tuple(of.get(belief.name.lower(), 0) for belief in Belief)


def test_every_status_has_a_belief() -> None:
    assert set(OF_STATUS) == set(Status)


def test_a_lane_counts_who_believes_what() -> None:
    timeline = Timeline(
        turns=[
            turn(10.0, 0, 3, Change.SUSPECTED, Status.SUSPECT),
            turn(11.0, 1, 3, Change.SUSPECTED, Status.SUSPECT),
            turn(15.0, 0, 3, Change.FAILED, Status.DEAD),
            turn(50.0, 0, 3, Change.FORGOTTEN, Status.DEAD),
        ]
    )

    assert lanes(PLAN, timeline, [3], 0.1)[3] == [
        (0.0, counts(alive=3)),
        (10.0, counts(alive=2, suspect=1)),
        (11.0, counts(alive=1, suspect=2)),
        (15.0, counts(alive=1, suspect=1, dead=1)),
        (50.0, counts(alive=1, suspect=1, unknown=1)),
    ]


def test_steps_closer_than_the_resolution_become_one() -> None:
    turns = [turn(10.0 + number / 100, number, 3, Change.FAILED, Status.DEAD) for number in range(3)]

    assert lanes(PLAN, Timeline(turns=turns), [3], 1.0)[3] == [(0.0, counts(alive=3)), (10.0, counts(dead=3))]


def test_who_has_ended_believes_nothing_and_a_newcomer_does_not_know() -> None:
    timeline = Timeline(happenings=[Happening(Kind.KILL, 10.0, 20.0, (0,)), Happening(Kind.RESTART, 30.0, None, (1,))])

    assert lanes(PLAN, timeline, [3], 0.1)[3] == [
        (0.0, counts(alive=3)),
        (10.0, counts(alive=2, none=1)),
        (20.0, counts(alive=2, unknown=1)),
        (30.0, counts(alive=1, unknown=2)),
    ]


def test_strangers_begin_without_knowing() -> None:
    assert lanes(Plan(4, 1, 60.0, strangers=True), Timeline(), [0], 0.1)[0] == [(0.0, counts(unknown=3))]


def test_in_a_large_cluster_only_eventful_nodes_have_a_lane() -> None:
    plan = Plan(1000, 1, 60.0)
    timeline = Timeline(
        turns=[turn(1.0, 0, 7, Change.SUSPECTED, Status.SUSPECT), turn(1.0, 0, 8, Change.UPDATED, Status.ALIVE)],
        happenings=[
            Happening(Kind.KILL, 1.0, None, (500,)),
            Happening(Kind.PARTITION, 1.0, 2.0, tuple(range(1000)), (1, 2)),
        ],
    )

    assert eventful(plan, timeline, 60) == [7, 500]
    assert eventful(plan, timeline, 1) == [500]
    assert eventful(PLAN, Timeline(), 60) == [0, 1, 2, 3]
