"""Phases as a story: tasks yield, the test answers."""

from collections.abc import Mapping
from typing import Any

import pytest

from init.boot import (
    RETRY,
    UEVENT_LIMIT,
    Boot,
    Finished,
    Phase,
    PhaseFailed,
    Run,
    Said,
    StartRun,
    Task,
    TaskFunction,
    Wait,
    Waiting,
    Woken,
    World,
)
from init.contract.status import BootStatus, PhaseState, PhaseStatus, Reason
from init.contract.status import Wait as StatusWait

DISK = StatusWait(Reason.DATA_DISK, "vda", 0.0, "it is being checked")


def nothing(world: World) -> Task:
    yield from ()


def boot(phases: tuple[Phase, ...], before: BootStatus | None = None, **tasks: TaskFunction) -> tuple[Boot, World]:
    world = World()
    found = Boot(phases, {"nothing": nothing, **tasks}, world)
    found.start(0.0, before)
    return found, world


def states(boot: Boot) -> dict[str, str]:
    return {status.name: status.state.value for status in boot.phase_statuses()}


def test_phases_that_need_no_wait_run_through_in_their_order() -> None:
    order: list[int] = []

    def noted(world: World) -> Task:
        order.append(len(order))
        yield from ()

    found, _world = boot((Phase("a", "noted"), Phase("b", "noted")), noted=noted)

    assert order == [0, 1]
    assert states(found) == {"a": "done", "b": "done"}
    assert found.complete
    assert found.deadline() is None


def test_the_next_phase_waits_for_a_one_shot() -> None:
    results = []

    def runs(world: World) -> Task:
        results.append((yield Run(("/sbin/modprobe", "x"), timeout=5)))

    found, _world = boot((Phase("a", "runs"), Phase("b", "nothing")), runs=runs)
    assert found.effects() == [StartRun("a", Run(("/sbin/modprobe", "x"), timeout=5))]
    assert states(found) == {"a": "running", "b": "pending"}
    assert not found.idle
    found.finished("a", Finished(1, b"no such module"), 3.0)

    assert results == [Finished(1, b"no such module")]
    assert states(found) == {"a": "done", "b": "done"}
    assert found.phase_statuses()[0].seconds == 3.0


def test_a_wait_ends_by_time_or_earlier_by_a_uevent_and_gives_all_events() -> None:
    woken: list[Woken] = []

    def waits(world: World) -> Task:
        woken.append((yield Wait(2.0, uevent=True)))
        woken.append((yield Wait(2.0)))
        woken.append((yield Wait(2.0, uevent=True)))

    found, _world = boot((Phase("a", "waits"),), waits=waits)
    assert found.deadline() == 2.0
    found.uevents([{"ACTION": "add"}], False, 0.5)
    assert woken == [Woken(({"ACTION": "add"},))]
    found.uevents([{"ACTION": "remove"}], False, 1.0)
    assert (len(woken), found.deadline()) == (1, 2.5)
    found.tick(2.5)
    assert woken[1] == Woken(({"ACTION": "remove"},))
    found.tick(4.5)

    assert woken[2] == Woken()
    assert found.complete


def test_uevents_that_came_during_a_one_shot_are_not_lost() -> None:
    woken: list[Woken] = []

    def waits(world: World) -> Task:
        yield Run(("/x",))
        woken.append((yield Wait(100.0, uevent=True)))

    found, _world = boot((Phase("a", "waits"),), waits=waits)
    found.uevents([{"ACTION": "add"}], False, 0.1)
    found.finished("a", Finished(0), 0.2)

    assert woken == [Woken(({"ACTION": "add"},))]


def test_a_task_that_does_not_take_its_uevents_is_told_that_some_are_lost() -> None:
    woken: list[Woken] = []

    def waits(world: World) -> Task:
        yield Run(("/x",))
        woken.append((yield Wait(100.0, uevent=True)))

    found, _world = boot((Phase("a", "waits"),), waits=waits)
    many: list[Mapping[str, str]] = [{"ACTION": "add"}] * (UEVENT_LIMIT + 1)
    found.uevents(many, False, 0.1)
    found.finished("a", Finished(0), 0.2)

    assert woken == [Woken((), lost=True)]


def test_what_a_phase_waits_for_is_published_once_and_printed() -> None:
    def waits(world: World) -> Task:
        yield Waiting(DISK)
        yield Waiting(DISK)
        yield Wait(5.0)
        yield Waiting(None)
        yield Wait(5.0)

    found, _world = boot((Phase("a", "waits"),), waits=waits)
    assert found.phase_statuses()[0].waits_for == DISK
    assert found.effects() == [Said(f"a: {DISK.line(0.0)}", console=True)]
    found.tick(5.0)

    assert found.phase_statuses()[0].waits_for is None


def test_a_phase_that_failed_for_now_is_tried_again_and_what_depends_on_it_follows() -> None:
    tries = []

    def fails_once(world: World) -> Task:
        tries.append(1)
        if len(tries) == 1:
            raise PhaseFailed(Reason.DATA_DISK, "", "no tmpfs can be mounted", again=True)
        yield from ()

    found, _world = boot((Phase("data", "once"), Phase("seed", "nothing", after=("data",))), once=fails_once)

    assert states(found) == {"data": "failed", "seed": "pending"}
    assert found.phase_statuses()[0].waits_for == StatusWait(Reason.DATA_DISK, "", 0.0, "no tmpfs can be mounted")
    assert not found.complete
    found.tick(found.deadline() or 0.0)
    assert states(found) == {"data": "done", "seed": "done"}
    assert found.deadline() is None


def test_a_failed_phase_stops_those_that_depend_on_it_and_no_others() -> None:
    def fails(world: World) -> Task:
        yield Wait(1.0)
        raise PhaseFailed(Reason.DATA_DISK, "vda", "it holds a foreign file system", "say hepto.data-disk=memory")

    phases = (
        Phase("data", "fails"),
        Phase("seed", "nothing", after=("data",)),
        Phase("later", "nothing", after=("seed",)),
        Phase("other", "nothing"),
    )
    found, _world = boot(phases, fails=fails)
    found.tick(1.0)

    assert found.deadline() is None, "it has failed for good"
    assert states(found) == {"data": "failed", "seed": "pending", "later": "pending", "other": "done"}
    failed, seed, later, _other = found.phase_statuses()
    assert failed.error == "it holds a foreign file system"
    assert failed.waits_for == StatusWait(
        Reason.DATA_DISK, "vda", 1.0, "it holds a foreign file system", "say hepto.data-disk=memory"
    )
    assert (seed.waits_for and seed.waits_for.subject, later.waits_for and later.waits_for.subject) == ("data", "seed")
    assert found.effects() == [
        Said("phase data failed: it holds a foreign file system. say hepto.data-disk=memory", console=True)
    ]


def test_a_defect_in_a_task_fails_its_phase_only() -> None:
    def broken(world: World) -> Task:
        yield Wait(1.0)
        raise ZeroDivisionError("oh")

    found, _world = boot((Phase("a", "broken"), Phase("b", "nothing"), Phase("c", "missing")), broken=broken)
    found.tick(1.0)

    assert states(found) == {"a": "failed", "b": "done", "c": "failed"}
    assert found.phase_statuses()[0].error == "ZeroDivisionError: oh"


def test_a_phase_that_raised_is_tried_again_and_what_waits_for_it_follows() -> None:
    tries: list[float] = []

    def third(world: World) -> Task:
        tries.append(len(tries))
        if len(tries) < 3:
            raise MemoryError
        yield from ()

    found, _world = boot((Phase("a", "third"), Phase("b", "nothing", after=("a",)), Phase("c", "nothing")), third=third)
    assert states(found) == {"a": "failed", "b": "pending", "c": "done"}
    assert (found.complete, found.deadline()) == (False, RETRY)
    found.tick(RETRY)
    assert (states(found)["a"], found.deadline()) == ("failed", 3 * RETRY)
    found.tick(3 * RETRY)

    assert states(found) == {"a": "done", "b": "done", "c": "done"}
    assert (found.complete, found.deadline()) == (True, None)


def test_a_begin_that_was_cut_off_can_be_repeated() -> None:
    begun: list[str] = []

    def task(world: World) -> Task:
        begun.append("one")
        yield Wait(1.0)

    found, _world = boot((Phase("a", "task"), Phase("b", "nothing")), task=task)
    found.start(0.0)
    found.tick(1.0)

    assert begun == ["one"]
    assert states(found) == {"a": "done", "b": "done"}


def test_a_background_task_lets_the_boot_go_on_and_is_started_again_when_it_breaks() -> None:
    starts: list[int] = []

    def forever(world: World) -> Task:
        starts.append(len(starts))
        yield Wait(3600.0, uevent=True)
        raise ZeroDivisionError("oh")

    found, _world = boot((Phase("hotplug", "forever", background=True), Phase("b", "nothing")), forever=forever)
    assert states(found) == {"hotplug": "done", "b": "done"}
    assert (found.complete, found.idle) == (True, True)
    found.uevents([{"ACTION": "add"}], False, 10.0)
    assert states(found)["hotplug"] == "failed"
    assert found.deadline() == 10.0 + RETRY
    found.tick(10.0 + RETRY)

    assert starts == [0, 1]
    assert states(found)["hotplug"] == "done"


def test_a_background_one_shot_does_not_hold_up_the_phases() -> None:
    def forever(world: World) -> Task:
        while True:
            yield Run(("/sbin/modprobe", "x"))

    found, _world = boot((Phase("hotplug", "forever", background=True), Phase("b", "nothing")), forever=forever)

    assert states(found) == {"hotplug": "done", "b": "done"}
    assert not found.idle


def test_after_a_re_exec_only_what_tells_the_loop_something_is_run_again() -> None:
    ran = []

    def noted(name: str) -> TaskFunction:
        def task(world: World) -> Task:
            ran.append(name)
            yield from ()

        return task

    phases = (
        Phase("keys", "keys", again=True),
        Phase("data", "data"),
        Phase("late", "late"),
    )
    before = BootStatus(
        (
            PhaseStatus("keys", PhaseState.DONE, 1.0, 0.5),
            PhaseStatus("data", PhaseState.DONE, 2.0, 7.0),
            PhaseStatus("late", PhaseState.RUNNING, 9.0),
        ),
        data="disk",
    )
    found, world = boot(phases, before, keys=noted("keys"), data=noted("data"), late=noted("late"))

    assert ran == ["keys", "late"]
    assert states(found) == {"keys": "done", "data": "done", "late": "done"}
    assert found.phase_statuses()[1].seconds == 7.0
    assert world.state["data"] == "disk"
    assert found.status("id", 3) == BootStatus(found.phase_statuses(), "id", "disk", 3)


def test_after_an_exception_a_lost_one_shot_is_run_again_and_a_lost_wait_is_over() -> None:
    results: list[object] = []

    def runs(world: World) -> Task:
        results.append((yield Run(("/x",))))
        results.append((yield Wait(100.0, uevent=True)))

    found, _world = boot((Phase("a", "runs"), Phase("b", "nothing")), runs=runs)
    found.mend(frozenset(), 0.5)
    assert found.effects() == [StartRun("a", Run(("/x",)))]
    found.mend(frozenset({"a"}), 1.0)
    assert found.effects() == []
    found.mend(frozenset(), 1.5)
    assert found.effects() == [StartRun("a", Run(("/x",)))]
    found.finished("a", Finished(0), 2.0)
    found.finished("a", Finished(0), 2.1)
    assert results == [Finished(0)]
    found._running["a"].wakes = None
    found.mend(frozenset(), 3.0)
    found.tick(3.0)

    assert results[1:] == [Woken(lost=True)]
    assert found.complete


class NoMemory(dict[str, float]):
    """What an exception at an unlucky place looks like."""

    def items(self) -> Any:
        raise MemoryError


def test_after_an_exception_between_two_phases_the_next_one_begins() -> None:
    def waits(world: World) -> Task:
        yield Wait(1.0)

    found, _world = boot((Phase("a", "waits"), Phase("b", "nothing")), waits=waits)
    found._restarts = NoMemory()
    with pytest.raises(MemoryError):
        found.tick(2.0)
    assert states(found) == {"a": "done", "b": "pending"}
    assert found.deadline() is None

    found._restarts = {}
    found.mend(frozenset(), 3.0)
    assert states(found) == {"a": "done", "b": "done"}
