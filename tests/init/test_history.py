"""What is remembered of a service: its first start, and its deaths."""

from init.contract.status import Beginning, LastExit, Reason, ServiceStatus, State, Wait
from init.history import MOST_WAITS, History

DEATH = LastExit("signal", 9, 7.0)


def wait(subject: str, since: float) -> Wait:
    return Wait(Reason.SERVICE, subject, since)


def test_only_the_first_start_is_the_beginning() -> None:
    history = History(1.0)
    history.waits(wait("containerd", 1.0))
    history.waits(wait("etcd", 2.0))
    history.started(3.0)
    history.ready(4.0)
    history.started(5.0)
    history.waits(wait("etcd", 5.5))
    history.ready(6.0)

    assert history.shown == (0, None, Beginning(1.0, 3.0, 4.0, (("containerd", 1.0), ("etcd", 2.0))))


def test_one_that_is_blocked_for_ever_does_not_grow() -> None:
    history = History(1.0)
    for number in range(MOST_WAITS + 5):
        history.waits(wait(str(number), float(number)))

    assert len(history.beginning.waits) == MOST_WAITS


def test_it_goes_on_from_what_was_written_before() -> None:
    history, after = History(1.0), History(90.0)
    history.started(2.0)
    history.died(DEATH)
    after.recall(ServiceStatus(State.BACKOFF, 7.0, None, 1, DEATH, None, "", *history.shown))
    after.died(LastExit("exit", 1, 95.0))

    assert after.shown == (2, LastExit("exit", 1, 95.0), Beginning(1.0, 2.0))
    after.recall(ServiceStatus(State.UP, 1.0))  # of a version that did not say
    assert after.beginning == Beginning(1.0, 2.0)
