"""How a node came up, remembered while it does."""

import json
from dataclasses import replace

import pytest

from hepto.node.course import MOST_WAITS, READY, STEPS, Course, load, plain
from hepto.node.facts import Clock, Facts, Ready
from hepto.node.status import status
from init.contract.status import State
from tests.node.facts import DONE, NETWORK, identity, running, service

WHO = identity()
FULL = replace(running(), clock=Clock.SYNCHRONISED, fingerprint="00", bootstrapped=True, node_object=Ready(True, 9.0))


BEGIN = Course(0.0)


def after(*stages: Facts, course: Course = BEGIN) -> Course:
    """The facts become these, one a second."""
    for second, facts in enumerate(stages, 1):
        course = course.follow(status(facts, now=float(second)), float(second))
    return course


def test_each_step_has_the_time_when_it_was_done_first() -> None:
    known = Facts(0.0, DONE, {}, config=WHO.config)
    named = replace(known, node="one")
    course = after(Facts(0.0), known, named, replace(named, network=NETWORK), replace(named, network=None), FULL)

    assert course.steps["configuration"] == 2.0
    assert course.steps["identity"] == 3.0
    assert course.steps["underlay"] == 4.0
    assert course.steps[READY] == 6.0


def test_every_step_is_done_on_a_node_that_is_up() -> None:
    assert after(FULL).steps.keys() == {*STEPS, READY}


def test_waits_follow_each_other_and_the_same_one_goes_on_with_its_last_word() -> None:
    start = {"etcd": service(State.STARTING)}
    course = after(
        Facts(0.0),
        running(start),
        replace(running(start), probes={"etcd": "no answer"}),
        running({"etcd": service(State.READY), "kubelet": service(State.UP)}),
        running(),
    )

    assert [(one.reason, one.subject, one.since, one.until) for one in course.waits] == [
        ("phase", "boot", 1.0, 2.0),
        ("service", "etcd", 2.0, 4.0),
        ("service", "kubelet", 4.0, 5.0),
    ]
    assert course.waits[1].what == "no answer"


def test_it_ends_when_the_node_is_ready_for_the_first_time() -> None:
    course = after(running())

    assert after(running({"etcd": service(State.BACKOFF)}), course=course) is course


def test_a_node_that_never_comes_up_does_not_remember_for_ever() -> None:
    stages = (running({name: service(State.UP)}) for _ in range(MOST_WAITS) for name in ("etcd", "kubelet"))

    assert len(after(*stages).waits) == MOST_WAITS


def test_the_next_agent_reads_what_the_one_before_has_written() -> None:
    course = after(Facts(0.0), running({"etcd": service(State.STARTING)}))

    assert load(json.loads(json.dumps(plain(course)))) == course
    assert load(json.loads(json.dumps(plain(after(FULL))))) == after(FULL)


@pytest.mark.parametrize("value", [None, [], {}, {"started": 1, "steps": [], "waits": []}, {"started": "x"}])
def test_what_is_no_course_is_none(value: object) -> None:
    assert load(value) is None
