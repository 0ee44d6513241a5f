import json
from dataclasses import replace
from typing import Any

import pytest

from hepto.config import Mistake
from hepto.net.model import Missing
from hepto.node.facts import Facts, Problem, Ready
from hepto.node.status import answer, console, status
from init.contract.status import LastExit, PhaseState, PhaseStatus, Reason, State, Wait
from tests.node.facts import DONE, NETWORK, config, running, service

NO_PLUGIN = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


def line(facts: Facts, now: float = 10.0) -> str:
    return status(facts).line(now)


def test_a_node_on_which_everything_is_up_is_ready() -> None:
    found = status(running())

    assert found.ready
    assert found.line(10.0) == "ready: node one of cluster demo, eth0 2001:db8:1::5"


def test_the_first_cause_in_the_order_of_the_boot_is_the_one_thing() -> None:
    missing = Missing(Reason.ROUTER, "eth0", "no advertisement", "turn it on")
    facts = replace(
        running({"etcd": service(State.BACKOFF)}),
        network=replace(NETWORK, missing=missing, since=4.0),
        problems={"mesh": Problem(Reason.INTERFACE, "wg0", 3.0, "no WireGuard", "another kernel")},
        node_object=Ready(False, 5.0, "no runtime"),
    )
    found = status(facts)

    assert [wait.reason for wait in found.waits] == [Reason.INTERFACE, Reason.ROUTER, Reason.SERVICE, Reason.NODE]
    assert found.line(10.0) == "waiting for interface wg0, 7 s: no WireGuard. another kernel"


def test_others_are_not_to_blame_while_the_cable_is_out() -> None:
    """Gossip says after seconds that no member answers, and to look at those: seen on a node whose cable was out."""
    problems = {
        "gossip": Problem(Reason.ANCHOR, "one", 3.0, "no member has answered yet"),
        "mesh": Problem(Reason.INTERFACE, "wg0", 3.0, "no WireGuard"),
    }
    out = replace(NETWORK, missing=Missing(Reason.CARRIER, "eth0", "no cable", "connect it"), since=4.0)
    services = {"etcd": service(State.BACKOFF)}
    facts = replace(running(services), network=out, problems=problems)

    reasons = [wait.reason for wait in status(facts).waits]
    assert reasons == [Reason.INTERFACE, Reason.CARRIER, Reason.ANCHOR, Reason.SERVICE]
    plugged = status(replace(running(), problems={"gossip": problems["gossip"]}))
    assert plugged.waits_for is not None
    assert plugged.waits_for.reason is Reason.ANCHOR


def test_what_several_parts_wait_for_is_said_once() -> None:
    full = Problem(Reason.DATA_DISK, "", 3.0, "the data disk is full")
    later = replace(full, since=5.0)
    found = status(replace(running(), problems={"disk": full, "keys": replace(full, what="broken"), "plan": later}))

    assert [(wait.what, wait.since) for wait in found.waits] == [("the data disk is full", 3.0), ("broken", 3.0)]


def test_the_console_of_a_ready_node_shows_the_ca_to_compare() -> None:
    ready, away = replace(running(), fingerprint="ab" * 32), replace(running({}), fingerprint="ab" * 32, network=None)

    assert console(status(ready), 1.0) == (status(ready).line(1.0), f"cluster CA {'ab' * 32}")
    assert len(console(status(away), 1.0)) == 1
    assert len(console(status(running()), 1.0)) == 1


def test_all_mistakes_of_the_configuration_are_on_the_console_and_nothing_else_is_waited_for() -> None:
    mistakes = (
        Mistake("hepto.rol", "hepto.rol is unknown", "did you mean hepto.role?"),
        Mistake("hepto.ip", "bad", "fix"),
    )
    found = status(Facts(started=1.0, boot=DONE, services={}, mistakes=mistakes))

    assert [wait.reason for wait in found.waits] == [Reason.CONFIGURATION]
    assert "and 1 more" in found.line(2.0)
    assert len(console(found, 2.0)) == 3
    assert console(found, 2.0)[2] == "bad; fix"


def test_the_root_is_named_and_not_those_that_wait_for_it() -> None:
    services = {
        "etcd": service(State.STARTING),
        "kube-apiserver": service(State.WAITING, waits_for="etcd"),
        "kube-scheduler": service(State.WAITING, waits_for="kube-apiserver"),
    }

    assert line(running(services)) == "waiting for service etcd, 8 s: it is being started. hepto logs etcd"
    assert len(status(running(services)).waits) == 1


@pytest.mark.parametrize(
    ("state", "fields", "expected"),
    [
        (
            State.BACKOFF,
            {"last_exit": LastExit("exit", 3, 1.0), "starts": 4},
            "exited with status 3 (4 starts). hepto logs etcd",
        ),
        (
            State.FAILED,
            {"last_exit": LastExit("exec", 2, 1.0), "starts": 1},
            "could not be started: No such file or directory (1 starts). hepto logs etcd",
        ),
        (State.UP, {}, "it runs, but is not ready yet. hepto logs etcd"),
        (State.UP, {"error": "argv: missing"}, "argv: missing. hepto logs etcd"),
    ],
)
def test_a_service_says_why(state: State, fields: dict[str, Any], expected: str) -> None:
    assert line(running({"etcd": service(state, **fields)})) == f"waiting for service etcd, 8 s: {expected}"


def test_what_the_last_probe_said_is_shown() -> None:
    facts = replace(running({"kubelet": service(State.UP)}), probes={"kubelet": "answers 500: no runtime"})

    assert line(facts) == "waiting for service kubelet, 8 s: answers 500: no runtime. hepto logs kubelet"


def test_a_service_that_an_operator_has_stopped_is_nothing_to_wait_for() -> None:
    assert status(running({"etcd": service(State.DOWN)})).ready


def test_a_phase_that_failed_names_what_it_waits_for() -> None:
    wait = Wait(Reason.DATA_DISK, "vdb", 3.0, "it holds ntfs", "give another")
    boot = replace(DONE, phases=(*DONE.phases[:2], PhaseStatus("data", PhaseState.FAILED, since=3.0, waits_for=wait)))
    facts = Facts(started=0.0, boot=boot, services={})

    assert line(facts) == "waiting for data disk vdb, 7 s: it holds ntfs. give another"


def test_a_background_phase_beside_a_running_node_is_nothing_to_wait_for() -> None:
    boot = replace(DONE, phases=(*DONE.phases, PhaseStatus("hotplug", PhaseState.RUNNING)))

    assert status(replace(running(), boot=boot)).ready


@pytest.mark.parametrize(
    ("cni", "what", "hint"),
    [
        ("none", NO_PLUGIN, "deploy your network plugin: hepto.cni=none leaves pods to it"),
        ("native", NO_PLUGIN, "hepto logs kubelet"),
        ("none", "PLEG is not healthy", "hepto logs kubelet"),
    ],
)
def test_who_leaves_pods_to_a_plugin_is_told_that_it_is_missing(cni: str, what: str, hint: str) -> None:
    facts = replace(running(), config=config(cni=cni), bootstrapped=True, node_object=Ready(False, 1.0, what))

    (wait,) = status(facts).waits
    assert (wait.reason, wait.what, wait.hint) == (Reason.NODE, what, hint)


def test_before_anything_is_known_it_is_not_ready() -> None:
    assert not status(Facts(started=0.0)).ready
    assert not status(Facts(started=0.0, boot=DONE, services={})).ready


def test_a_node_is_not_ready_before_its_objects_are_applied_and_its_node_is_seen() -> None:
    facts = running({"kube-apiserver": service(State.READY), "kubelet": service(State.READY)})
    ready = replace(facts, bootstrapped=True, node_object=Ready(True, 1.0))

    assert [wait.reason for wait in status(facts).waits] == [Reason.SERVICE, Reason.NODE]
    assert [wait.reason for wait in status(replace(facts, bootstrapped=True)).waits] == [Reason.NODE]
    assert status(ready).ready


def test_the_values_in_force_say_where_they_come_from() -> None:
    found = answer(status(replace(running(), sources={"cluster": "the kernel command line"})), 1.0)

    assert found["configuration"]["cluster"] == {"value": "demo", "source": "the kernel command line"}
    assert found["configuration"]["key"]["value"] == "(secret)"


def test_since_is_kept_as_long_as_it_is_ready_or_is_not() -> None:
    first = status(running(), now=5.0)
    second = status(running(), first, now=9.0)
    third = status(running({"etcd": service(State.BACKOFF)}), second, now=11.0)

    assert (second.since, third.since) == (5.0, 11.0)


def test_another_second_is_no_other_subject_but_another_cause_is() -> None:
    one = status(running({"etcd": service(State.UP)}), now=5.0)
    later = status(running({"etcd": service(State.UP)}), one, now=9.0)
    other = status(running({"etcd": service(State.BACKOFF)}), one, now=9.0)

    assert one.subject == later.subject
    assert one.subject != other.subject


def test_the_answer_is_json_and_holds_no_secret() -> None:
    found = answer(status(replace(running(), node_object=Ready(True, 1.0))), 10.0)

    text = json.dumps(found)
    assert "00" * 32 not in text
    assert found["services"]["etcd"]["state"] == "ready"
    assert found["network"]["resolvers"] == ["fe80::53%eth0", "2001:db8::53"]
    assert found["ready"] is True


def stages() -> list[Facts]:
    """What is known in the course of a boot, and what may stand still in it."""
    up = {"kube-apiserver": service(State.READY), "kubelet": service(State.READY)}
    phases = [
        PhaseStatus("data", PhaseState.RUNNING),
        PhaseStatus("data", PhaseState.FAILED, error="no such module"),
        PhaseStatus("data", PhaseState.PENDING),
    ]
    return [
        Facts(started=0.0),
        *(Facts(started=0.0, boot=replace(DONE, phases=(phase,)), services={}) for phase in phases),
        replace(running(), network=None),
        replace(running(), services=None),
        replace(running(), planned=None),
        replace(running({}), planned={"etcd": 1.0}),
        *(running({"etcd": service(state)}) for state in State),
        running({"etcd": service(State.BACKOFF, last_exit=LastExit("signal", 9, 1.0))}),
        running(up),
        replace(running(up), bootstrapped=True),
        replace(running(up), bootstrapped=True, node_object=Ready(False, 1.0, "no CNI")),
    ]


@pytest.mark.parametrize("facts", stages())
def test_whatever_is_waited_for_it_says_what_is_wrong_and_what_to_do(facts: Facts) -> None:
    assert [wait for wait in status(facts).waits if not (wait.what and wait.hint)] == []
