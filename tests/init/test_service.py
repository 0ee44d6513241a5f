"""One service's life, told as stories of events and what follows from them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init.contract.service import Ready, ReadyKind, Restart, Scope, Service, Stop, Type, Wanted, When
from init.contract.status import Beginning, LastExit, Reason, State, Wait
from init.service import MOVES, NEXT, Event, IllegalEventError, Move, Supervised

DAEMON = Service(("/bin/x",), ready=Ready(ReadyKind.NOTIFY))
WAIT = Wait(Reason.SERVICE, "etcd", 0.0)


def born(spec: Service = DAEMON) -> Supervised:
    return Supervised("x", spec, 0.0)


def running(spec: Service = DAEMON, now: float = 1.0) -> Supervised:
    service = born(spec)
    service.forked(100, None, now)
    service.executed(now)
    return service


def ended(value: int = 0, kind: str = "exit", at: float = 0.0) -> LastExit:
    return LastExit(kind, value, at)


def test_every_pair_of_wanted_and_actual_has_a_move() -> None:
    assert set(MOVES) == set(itertools.product(Wanted, State))


def test_every_event_that_the_table_does_not_allow_raises_and_changes_nothing() -> None:
    for event, state in itertools.product(Event, State):
        service = born()
        service.state = state
        if state in NEXT[event]:
            service._to(event, 5.0)
            assert service.state is NEXT[event][state]
        else:
            with pytest.raises(IllegalEventError, match=event.value):
                service._to(event, 5.0)
            assert service.state is state


def test_a_life_without_trouble() -> None:
    service = born()
    assert service.move(0.0) is Move.START
    service.blocked(WAIT, 0.0)
    assert (service.state, service.status().waits_for) == (State.WAITING, WAIT)
    assert service.move(1.0) is Move.START
    service.forked(100, 7, 1.0)
    assert (service.state, service.waits_for, service.starts) == (State.STARTING, None, 1)
    service.executed(1.1)
    assert service.state is State.UP
    service.ready(2.0)
    assert (service.state, service.since, service.move(3.0)) == (State.READY, 2.0, Move.KEEP)
    service.hold()
    assert service.move(4.0) is Move.STOP
    service.told_to_stop(4.0)
    assert (service.state, service.kill_at) == (State.STOPPING, 14.0)
    service.ended(ended(at=5.0), empty=True, now=5.0)

    assert (service.state, service.pid, service.move(5.0)) == (State.DOWN, None, Move.KEEP)
    assert service.deadline() is None


def test_readiness_of_kind_none_comes_with_exec() -> None:
    assert running(Service(("/bin/x",))).state is State.READY
    assert running(DAEMON).state is State.UP


def test_the_first_restart_comes_at_once_and_later_ones_wait() -> None:
    service = running()
    waits = []
    for start in (2.0, 3.0, 4.0, 5.0):
        service.ended(ended(1), empty=True, now=start)
        assert service.state is State.BACKOFF
        waits.append(round(service.due - start, 3))
        assert service.move(service.due) is Move.START
        service.forked(101, None, start)

    assert waits == [0.0, 0.1, 0.2, 0.4]


def test_a_service_that_was_up_long_enough_starts_at_once_again() -> None:
    service = running(now=0.0)
    for _ in range(5):
        service.ended(ended(1), empty=True, now=1.0)
        service.forked(101, None, 1.0)
    service.ended(ended(1), empty=True, now=11.0)

    assert service.due == 11.0


def test_what_an_end_left_behind_is_killed_before_the_next_start() -> None:
    service = running()
    service.ended(ended(9, "signal"), empty=False, now=5.0)
    assert (service.state, service.kill_at, service.move(5.0)) == (State.STOPPING, 5.0, Move.KEEP)
    assert service.killed() == ""  # nobody had asked it to end
    service.emptied(5.1)

    assert (service.state, service.move(5.1)) == (State.BACKOFF, Move.START)


def test_scope_process_starts_beside_what_the_end_left_behind() -> None:
    service = running(Service(("/bin/x",), stop=Stop(scope=Scope.PROCESS)))
    service.ended(ended(9, "signal"), empty=False, now=5.0)

    assert service.move(5.0) is Move.START


def test_a_stop_that_leaves_something_behind_waits_for_its_time_then_kills() -> None:
    service = running()
    service.hold()
    service.told_to_stop(5.0)
    service.ended(ended(), empty=False, now=6.0)
    assert (service.state, service.kill_at) == (State.STOPPING, 15.0)
    service.emptied(7.0)

    assert service.state is State.DOWN


@pytest.mark.parametrize(
    ("when", "value", "state"),
    [
        (When.ALWAYS, 0, State.BACKOFF),
        (When.ALWAYS, 1, State.BACKOFF),
        (When.FAILURE, 0, State.DOWN),
        (When.FAILURE, 1, State.BACKOFF),
        (When.NEVER, 0, State.DOWN),
        (When.NEVER, 1, State.FAILED),
    ],
)
def test_the_restart_policy_of_a_daemon(when: When, value: int, state: State) -> None:
    service = running(Service(("/bin/x",), restart=Restart(when=when)))
    service.ended(ended(value), empty=True, now=5.0)

    assert service.state is state
    if state is not State.BACKOFF:
        assert service.move(100.0) is Move.KEEP


def test_a_oneshot_that_did_its_work_is_ready_and_is_not_run_again() -> None:
    service = running(Service(("/bin/x",), type=Type.ONESHOT, ready=Ready(ReadyKind.EXIT)))
    assert service.state is State.UP
    service.ended(ended(0), empty=True, now=5.0)

    assert (service.state, service.pid, service.move(5.0)) == (State.READY, None, Move.KEEP)


def test_a_oneshot_that_failed_is_tried_again_unless_never() -> None:
    again = running(Service(("/bin/x",), type=Type.ONESHOT))
    never = running(Service(("/bin/x",), type=Type.ONESHOT, restart=Restart(when=When.NEVER)))
    again.ended(ended(1), empty=True, now=5.0)
    never.ended(ended(1), empty=True, now=5.0)

    assert (again.state, never.state) == (State.BACKOFF, State.FAILED)
    assert never.waits_for is not None
    assert "exited with status 1" in never.waits_for.line(6.0)


ONESHOT = Service(("/bin/x",), type=Type.ONESHOT)
MAY_END = Service(("/bin/x",), restart=Restart(when=When.FAILURE))


@pytest.mark.parametrize(
    ("spec", "exit_", "unexpected"),
    [
        (DAEMON, ended(0), True),
        (DAEMON, ended(1), True),
        (DAEMON, ended(9, "signal"), True),
        (DAEMON, ended(2, "exec"), True),
        (ONESHOT, ended(0), False),
        (ONESHOT, ended(1), True),
        (MAY_END, ended(0), False),
        (MAY_END, ended(1), True),
    ],
)
def test_an_end_that_is_not_its_work_is_a_death(spec: Service, exit_: LastExit, unexpected: bool) -> None:
    service = running(spec)

    assert service.ended(exit_, empty=True, now=5.0) is unexpected
    assert service.status().deaths == int(unexpected)
    assert service.status().last_death == (exit_ if unexpected else None)


def test_an_end_that_somebody_asked_for_is_no_death() -> None:
    stopped, held, restarted, removed, frozen = (running() for _ in range(5))
    stopped.told_to_stop(2.0)
    held.hold()
    restarted.restart(2.0)
    removed.remove()
    frozen.frozen = True

    for service in (stopped, held, restarted, removed, frozen):
        assert not service.ended(ended(9, "signal"), empty=True, now=5.0)
        assert service.status().deaths == 0


def test_its_first_start_is_remembered_over_later_ones() -> None:
    service = born()
    service.blocked(WAIT, 0.0)
    service.forked(100, 7, 1.0)
    service.executed(1.1)
    service.ready(2.0)
    service.ended(ended(1), empty=True, now=5.0)
    service.forked(101, 8, 6.0)

    assert service.status().beginning == Beginning(0.0, 1.0, 2.0, (("etcd", 0.0),))


def test_a_oneshot_whose_specification_changes_runs_again() -> None:
    spec = Service(("/bin/x",), type=Type.ONESHOT)
    service = running(spec)
    service.ended(ended(0), empty=True, now=5.0)
    service.configure(Service(("/bin/x",), type=Type.ONESHOT, restart_key="new"), 6.0)

    assert service.move(6.0) is Move.START


def test_a_changed_program_restarts_and_a_changed_limit_does_not() -> None:
    service = running()
    service.configure(Service(("/bin/x",), ready=Ready(ReadyKind.NOTIFY), oom_score_adj=5), 2.0)
    assert service.move(2.0) is Move.KEEP
    service.configure(Service(("/bin/y",), ready=Ready(ReadyKind.NOTIFY)), 3.0)
    assert service.move(3.0) is Move.STOP
    service.told_to_stop(3.0)
    service.ended(ended(), empty=True, now=4.0)

    assert service.move(4.0) is Move.START


def test_a_changed_specification_ends_the_back_off() -> None:
    service = running()
    for _ in range(8):
        service.ended(ended(1), empty=True, now=2.0)
        service.forked(101, None, 2.0)
    service.ended(ended(1), empty=True, now=2.0)
    assert service.move(3.0) is Move.KEEP
    service.configure(Service(("/bin/y",)), 3.0)

    assert service.move(3.0) is Move.START


def test_a_bad_file_keeps_the_service_and_is_said() -> None:
    service = running()
    service.ready(1.0)
    service.misconfigured("argv: missing")

    assert (service.state, service.move(2.0), service.status().error) == (State.READY, Move.KEEP, "argv: missing")
    service.configure(DAEMON, 3.0)
    assert (service.move(3.0), service.status().error) == (Move.KEEP, "")


def test_stop_start_and_restart_by_the_operator() -> None:
    service = running()
    service.restart(2.0)
    assert service.move(2.0) is Move.STOP
    service.told_to_stop(2.0)
    service.ended(ended(), empty=True, now=3.0)
    assert service.move(3.0) is Move.START
    service.hold()
    assert service.move(3.0) is Move.KEEP
    service.release(4.0)
    assert service.move(4.0) is Move.START


def test_start_gives_a_failed_service_another_try() -> None:
    service = running(Service(("/bin/x",), restart=Restart(when=When.NEVER)))
    service.ended(ended(1), empty=True, now=5.0)
    service.release(6.0)

    assert (service.state, service.move(6.0)) == (State.DOWN, Move.START)


def test_a_restart_while_it_stops_starts_it_again_afterwards() -> None:
    service = running()
    service.hold()
    service.told_to_stop(2.0)
    service.restart(2.5)
    assert service.move(2.5) is Move.KEEP
    service.ended(ended(), empty=True, now=3.0)

    assert service.move(3.0) is Move.START


def test_nothing_starts_during_a_shutdown() -> None:
    service = running()
    service.frozen = True
    service.ended(ended(1), empty=True, now=5.0)

    assert (service.move(100.0), service.deadline()) == (Move.KEEP, None)
    assert service.alive is False


def test_readiness_that_does_not_come_is_said_and_the_process_left_alone() -> None:
    service = running(Service(("/bin/x",), ready=Ready(ReadyKind.AGENT, timeout=30.0)), now=1.0)
    assert service.deadline() == 31.0
    assert not service.overdue(30.9)
    assert service.overdue(31.0)
    service.late()

    assert service.deadline() is None
    assert (service.state, service.move(31.0)) == (State.UP, Move.KEEP)
    assert service.waits_for is not None
    assert "not ready after 30 s" in service.waits_for.line(31.0)
    service.ready(40.0)
    assert service.waits_for is None


def test_a_failed_start_is_told_with_its_reason() -> None:
    service = born()
    service.forked(100, None, 1.0)
    service.ended(ended(2, "exec"), empty=True, now=1.1, error="/bin/x: No such file or directory")
    status = service.status()

    assert (status.state, status.last_exit, status.error) == (
        State.BACKOFF,
        ended(2, "exec"),
        "/bin/x: No such file or directory",
    )


def test_a_removed_service_stops_and_a_file_that_comes_back_keeps_it() -> None:
    service = running()
    service.remove()
    assert service.move(2.0) is Move.STOP
    service.configure(DAEMON, 2.0)
    assert service.move(2.0) is Move.KEEP


actions = st.lists(
    st.sampled_from(("hold", "release", "restart", "change", "die", "leave", "ready", "time")), max_size=40
)


@settings(deadline=None)
@given(actions)
def test_when_nothing_happens_any_more_the_wanted_state_is_reached(actions: list[str]) -> None:
    """A well-behaved child comes up and stays up, whatever was done before; and a held one is down."""
    service, now, pid = born(), 0.0, 1
    for action in [*actions, "release", "wait"]:
        match action:
            case "hold":
                service.hold()
            case "release":
                service.release(now)
            case "restart":
                service.restart(now)
            case "change":
                service.configure(Service((f"/bin/{now}",), ready=Ready(ReadyKind.NOTIFY)), now)
            case "die" | "leave" if service.pid is not None:
                service.ended(ended(1, at=now), empty=action == "die", now=now)
            case "ready" if service.pid is not None:
                service.ready(now)
        for _ in range(60 if action == "wait" else 1):
            now += 1.0
            if service.kill_at is not None and service.kill_at <= now and service.pid is None:
                service.killed()
                service.emptied(now)
            match service.move(now):
                case Move.START:
                    pid += 1
                    service.forked(pid, None, now)
                    service.executed(now)
                case Move.STOP:
                    service.told_to_stop(now)
                    service.ended(ended(at=now), empty=True, now=now)
                case Move.REST:
                    service.rested(now)

    assert service.state in (State.UP, State.READY)
    assert service.pid == pid


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("pid", [None, 100])
@pytest.mark.parametrize("empty", [True, False])
def test_whatever_an_exception_left_half_done_is_mended(state: State, pid: int | None, empty: bool) -> None:
    """Afterwards a service with a process has a state with one, and one without leads to a start."""
    service = born()
    service.state, service.pid, service.starts = state, pid, 1
    service.mend(empty, 5.0)
    assert not service.torn
    assert service.alive or pid is None
    if service.state is State.STOPPING and pid is None:
        assert service.look_at == 5.0
        service.emptied(6.0)
    if pid is None and state is not State.FAILED:
        assert service.move(100.0) is Move.START
