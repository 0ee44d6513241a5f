"""What is shown of a booting node, and when its agent is worth asking."""

from typing import Any

import pytest

from hepto.lab.readiness import ASK_RARELY, ASK_SOON, Look, Pending, look, pending, verdict
from init.contract.status import BootStatus, PhaseState, PhaseStatus, Reason, ServiceStatus, State, Wait, dump

DONE = PhaseStatus("mounts", PhaseState.DONE)
READY = dump(ServiceStatus(State.READY, 1.0))
STARTING = dump(ServiceStatus(State.STARTING, 1.0))
WAITING = dump(ServiceStatus(State.WAITING, 1.0, waits_for=Wait(Reason.SERVICE, "etcd", 1.0)))


def state(*phases: PhaseStatus, **services: dict[str, Any]) -> dict[str, Any]:
    return {"boot": dump(BootStatus(phases)), "services": services}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Look("PID 1 has started")),
        ({"boot": None, "services": {}}, Look("PID 1 has started")),
        (state(DONE, PhaseStatus("modules", PhaseState.RUNNING)), Look("modules is under way")),
        (state(PhaseStatus("data", PhaseState.FAILED, error="no disk")), Look("data failed: no disk")),
        (
            state(PhaseStatus("data", PhaseState.RUNNING, waits_for=Wait(Reason.DATA_DISK, "vdb", 1.0))),
            Look("data: waiting for data disk vdb"),
        ),
        (state(DONE, agent=READY), Look("the agent is preparing")),
        (
            state(DONE, agent=READY, etcd=STARTING, apiserver=WAITING),
            Look("1 of 3 services are ready; not yet: etcd"),
        ),
        (state(DONE, agent=READY, kubelet=READY), Look("all services are ready", settled=True)),
        ({"boot": {"phases": 1}}, Look("it says what this version does not understand")),
        (
            {"boot": {"phases": []}, "services": {"x": {"state": "?"}}},
            Look("it says what this version does not understand"),
        ),
    ],
)
def test_the_first_thing_that_is_not_done_is_shown(given: dict[str, Any], expected: Look) -> None:
    assert look(given) == expected


def test_an_installation_medium_is_up_when_its_shells_are_there() -> None:
    found = look({**state(DONE), "services": {"logger": READY, "shell-ttys0": READY, "lab": READY}})

    assert (found.medium, found.settled) == (True, True)
    assert not look(state(DONE, agent=READY, logger=READY)).medium


def test_without_kubernetes_nobody_waits_for_the_kubelet() -> None:
    assert look(state(DONE, agent=READY), kubernetes=False).settled


def test_the_agent_is_asked_often_only_when_everything_runs() -> None:
    assert look(state(DONE, agent=READY)).patience == ASK_RARELY
    assert look(state(DONE, kubelet=READY)).patience == ASK_SOON


def test_a_verdict_has_the_line_and_the_first_hint() -> None:
    answer = {"ready": False, "line": "waiting for router", "waits": [{"reason": "router", "hint": "check the cable"}]}

    found = verdict(answer)
    assert (found.ready, found.line, found.hint, found.hopeless) == (
        False,
        "waiting for router",
        "check the cable",
        False,
    )


def test_a_bad_configuration_is_not_waited_for() -> None:
    assert verdict({"ready": False, "line": "x", "waits": [{"reason": "configuration", "hint": None}]}).hopeless


def test_ready_is_ready() -> None:
    assert verdict({"ready": True, "line": "ready: node one", "waits": []}).ready


@pytest.mark.parametrize(
    "answer", [{}, {"ready": True}, {"ready": True, "line": "x", "waits": 1}, {"waits": [1], "ready": 1}]
)
def test_what_is_no_status_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        verdict(answer)


def test_what_is_not_up_is_listed_with_its_age_and_its_cause() -> None:
    phase = dump(BootStatus((DONE, PhaseStatus("data", PhaseState.FAILED, since=2.0, error="no disk"))))["phases"]
    backoff = dump(ServiceStatus(State.BACKOFF, 4.0, error="no such program"))
    services = {"agent": READY, "etcd": STARTING, "kubelet": WAITING, "lab": backoff}
    down = dump(ServiceStatus(State.DOWN, 1.0))

    found = pending({"now": 10.5, "phases": phase, "services": {**services, "stopped": down}})

    assert found == (
        Pending("phase", "data", "failed", 8, "no disk"),
        Pending("service", "etcd", "starting", 9, ""),
        Pending("service", "kubelet", "waiting", 9, "waits for service etcd"),
        Pending("service", "lab", "backoff", 6, "no such program"),
    )


@pytest.mark.parametrize(
    "answer", [{}, {"now": "x", "phases": [], "services": {}}, {"now": 1, "phases": [1], "services": {}}]
)
def test_what_is_no_status_lists_nothing(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        pending(answer)
