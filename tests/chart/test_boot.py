"""From what was said of a boot to the rows of its chart."""

import json
from typing import Any

import pytest

from hepto.chart.boot import MARGIN, Chart, Row, Section, What, chart
from hepto.node import course
from hepto.node.status import answer, status
from init.contract.status import Beginning, PhaseState, PhaseStatus, State
from tests.chart.example import phase, said, service
from tests.node import facts


def row(found: Chart, name: str) -> Row:
    return next(row for row in found.rows if row.name == name)


def stretches(row: Row) -> list[tuple[str, float, float]]:
    return [(one.what.value, one.begin, round(one.end, 3)) for one in row.stretches]


def work(found: Chart, name: str) -> tuple[float, float]:
    begin, seconds = row(found, name).work
    assert seconds is not None
    return begin, seconds


def test_the_whole_boot_is_there_in_the_order_of_its_parts() -> None:
    found = chart(said(), 5000.0, "one")

    assert found.title == "Boot of one: ready after 36.6 s"
    assert found.end == 36.6 * MARGIN
    assert list(dict.fromkeys(row.section for row in found.rows)) == list(Section)
    assert stretches(row(found, "kernel and stage 0")) == [("works", 0.0, 2.1)]
    assert stretches(row(found, "modules")) == [("works", 2.37, 3.18)]
    assert work(found, "certificates") == pytest.approx((6.15, 1.55))
    assert work(found, "service kube-apiserver") == pytest.approx((10.8, 17.1))
    services = [row.name for row in found.rows if row.section is Section.SERVICES]
    assert services[:4] == ["logger", "agent", "chrony", "containerd"]
    assert services[-1] == "coredns"


def test_a_service_waits_starts_and_is_ready_and_says_for_what_it_waited() -> None:
    found = row(chart(said(), 5000.0), "kubelet")

    assert stretches(found) == [("waits", 8.4, 24.8), ("starts", 24.8, 31.0), ("ready", 31.0, round(36.6 * MARGIN, 3))]
    assert found.note == "after containerd, kube-apiserver"
    assert work(chart(said(), 5000.0), "kubelet") == pytest.approx((24.8, 6.2))


def test_of_a_boot_that_is_not_over_what_goes_on_goes_to_the_end() -> None:
    material = said(now=90.0)
    del material["course"]["steps"]["ready"]
    material["course"]["waits"][-1]["until"] = None
    material["phases"][-2] = phase("data", 3.23, 0.0, state="running", waits_for={"what": "no disk"})
    material["services"]["kubelet"] = service(8.4, 24.8, None, (), deaths=2)
    material["services"]["coredns"] = service(8.4, None, None, ("kubelet",), deaths=1)
    found = chart(material, 90.0)

    assert found.title == "Boot: not ready"
    assert found.end == 90.0 * MARGIN
    assert (stretches(row(found, "data")), row(found, "data").note) == ([("waits", 3.23, 90.0)], "no disk")
    assert stretches(row(found, "kubelet")) == [("waits", 8.4, 24.8), ("starts", 24.8, 90.0)]
    assert (row(found, "kubelet").note, row(found, "kubelet").work) == ("died 2 times", (24.8, None))
    assert stretches(row(found, "coredns")) == [("waits", 8.4, 90.0)]
    assert row(found, "coredns").note == "after kubelet; died once"
    assert stretches(row(found, "node object one")) == [("waits", 33.4, 90.0)]


def test_a_failed_phase_says_why_and_one_that_was_not_begun_is_left_out() -> None:
    phases = [phase("data", 1.0, 2.0, state="failed", error="broken"), phase("seed", 0.0, 0.0, state="pending")]
    found = chart({"phases": phases}, 10.0)

    assert [row.name for row in found.rows] == ["kernel and stage 0", "data"]
    assert (stretches(found.rows[1]), found.rows[1].note) == ([("failed", 1.0, 3.0)], "broken")
    assert found.end == 3.0 * MARGIN


def test_what_is_waited_for_again_is_one_row() -> None:
    waits = [
        {"reason": "service", "subject": name, "what": what, "since": since, "until": since + 1.0}
        for since, (name, what) in enumerate((("etcd", "a"), ("kubelet", "b"), ("etcd", "c")))
    ]
    found = chart({"course": {"started": 0.5, "steps": {}, "waits": waits}}, 3.0)

    assert [(row.name, row.work, row.note) for row in found.rows] == [
        ("service etcd", (0.0, 2.0), "c"),
        ("service kubelet", (1.0, 1.0), "b"),
    ]


def test_services_that_came_when_the_node_was_ready_are_counted_only() -> None:
    material = said()
    material["services"]["late"] = service(4000.0, 4000.1, 4001.0, ())
    material["services"]["stopped"] = service(3.0, 3.1, 4.0, (), state="down", since=5.0)
    found = chart(material, 5000.0)

    material["phases"].append(phase("seed", 4900.0, 1.0))
    found = chart(material, 5000.0)

    assert [row.begin for row in found.rows if row.name == "seed"] == [4.35]
    assert found.left_out == 1
    assert "late" not in {row.name for row in found.rows}
    assert stretches(row(found, "stopped"))[-1] == ("ready", 4.0, 5.0)


def test_machines_get_all_of_it() -> None:
    found = json.loads(json.dumps(chart(said(), 5000.0, "one").plain()))

    assert (found["node"], found["ready"]) == ("one", 36.6)
    assert found["rows"][0]["stretches"] == [{"what": "works", "begin": 0.0, "end": 2.1}]


@pytest.mark.parametrize(
    "material",
    [
        {"phases": [{"since": 1.0}]},
        {"services": {"etcd": {"beginning": {"known": "x"}}}},
        {"services": {"etcd": 3}},
        {"course": {"steps": {"plan": "x"}}},
        {"course": {"waits": [{}]}},
        {"phases": 3},
    ],
)
def test_what_makes_no_sense_is_a_value_error(material: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        chart(material, 5.0)


def test_it_understands_what_the_node_says_of_itself() -> None:
    """The shapes are those of PID 1 and the agent, not of this test's example."""
    beginning = Beginning(2.0, 3.0, 4.0, (("mesh", 2.0),))
    etcd = facts.service(State.READY, beginning=beginning)
    told = status(facts.running({"etcd": etcd}), now=5.0)
    boot = facts.DONE.__class__((PhaseStatus("data", PhaseState.DONE, 1.0, 0.5),))
    told = status(told.facts.__class__(**{**vars(told.facts), "boot": boot}), now=5.0)
    way = course.plain(course.Course(1.5).follow(told, 5.0))

    found = chart(json.loads(json.dumps(answer(told, 6.0, course=way))), 6.0, "one")

    assert found.ready == 5.0
    assert stretches(row(found, "data")) == [("works", 1.0, 1.5)]
    assert row(found, "etcd").note == "after mesh"
    assert row(found, "plan").section is Section.AGENT
    assert {one.what for one in row(found, "etcd").stretches} == {What.WAIT, What.START, What.READY}
