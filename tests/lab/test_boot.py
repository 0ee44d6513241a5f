"""Waiting for nodes, against a lab that says what it is told to say; and what is proposed afterwards."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from hepto.errors import UserError
from hepto.lab import boot, channel
from hepto.lab.client import Completed
from init.contract.status import BootStatus, PhaseState, PhaseStatus, ServiceStatus, State, dump

READY = {"boot": dump(BootStatus((PhaseStatus("mounts", PhaseState.DONE),))), "services": {}}
STARTING = {**READY, "services": {"etcd": dump(ServiceStatus(State.STARTING, 1.0))}}


class FakeLab:
    """Nodes that serve their channel; `agents` has what `hepto status --json` of each answers, one after the other."""

    def __init__(self, agents: dict[str, list[dict[str, Any]]], services: dict[str, Any] = READY) -> None:
        self.agents = agents
        self.services = services
        self.states = {name: self.state(name) for name in agents}

    def state(self, name: str) -> dict[str, Any]:
        return {"name": name, "on": True, "channel": True, "reason": "", "kubernetes": False}

    def snapshot(self) -> dict[str, Any]:
        return {"nodes": list(self.states.values())}

    def node_state(self, name: str) -> dict[str, Any]:
        return self.states[name]

    def send(self, verb: str, **fields: Any) -> int:
        assert (verb, fields["request"]) == ("guest", {"verb": "status"})
        return 1

    def answers(self, number: int, timeout: float) -> Iterator[dict[str, Any]]:
        yield {"id": number, "stream": "data", "data": channel.pack(json.dumps(self.services).encode())}
        yield {"id": number, "exit": 0}

    def run(self, node: str, *argv: str, timeout: float) -> Completed:
        assert argv == (boot.PROGRAM, "status", "--json")
        answers = self.agents[node]
        return Completed(0, json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]).encode(), b"")


class Notes:
    """Remembers what is shown."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.details: list[str] = []
        self.notes: list[str] = []

    def step(self, name: str) -> contextlib.AbstractContextManager[None]:
        self.steps.append(name)
        return contextlib.nullcontext()

    def detail(self, text: str) -> None:
        self.details.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


def said(line: str, *, ready: bool = False, reason: str = "master") -> dict[str, Any]:
    waits = [] if ready else [{"reason": reason, "hint": "do this"}]
    return {"ready": ready, "line": line, "waits": waits}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is asked at every look, and looks follow each other at once."""
    monkeypatch.setattr("hepto.lab.readiness.ASK_SOON", 0.0)
    monkeypatch.setattr("hepto.lab.boot.POLL", 0.0)


def wait(lab: FakeLab, limit: float = 60.0) -> Notes:
    notes = Notes()
    boot.wait_ready(lab, notes, limit)  # type: ignore[arg-type]  # what it uses of a LabClient
    return notes


def test_all_nodes_are_waited_for_at_the_same_time_and_each_says_when_it_is_ready() -> None:
    notes = wait(
        FakeLab(
            {
                "one": [said("waiting for clock"), said("ready: one", ready=True)],
                "two": [said("ready: two", ready=True)],
            }
        )
    )

    assert notes.steps == ["Boot one, two"]
    assert [note.partition(" after")[0] for note in notes.notes] == ["two is Ready", "one is Ready"]


def test_what_the_agent_waits_for_is_shown_when_its_services_run() -> None:
    notes = wait(FakeLab({"one": [said("waiting for master"), said("x"), said("ready: one", ready=True)]}))

    assert "waiting for master" in notes.details
    assert notes.notes == [], "one node has a step of its own"


def test_a_mistake_of_one_node_ends_the_waiting() -> None:
    lab = FakeLab({"one": [said("ready: one", ready=True)], "two": [said("bad role", reason="configuration")]})

    with pytest.raises(UserError) as caught:
        wait(lab)

    assert caught.value.lines() == ("two is not Ready: bad role", "do this")


def test_a_node_that_is_off_is_named_with_the_reason() -> None:
    lab = FakeLab({"one": [said("x")], "two": [said("x")]})
    lab.states["two"] |= {"on": False, "channel": False, "reason": "guest-panicked"}

    with pytest.raises(UserError) as caught:
        wait(lab)

    assert caught.value.lines() == ("two is off: guest-panicked", "hepto lab console two  shows how far it came")


@pytest.mark.parametrize(
    ("lab", "text"),
    [
        (FakeLab({"one": [said("waiting for master")]}), "one is not Ready: waiting for master"),
        (FakeLab({"one": [{}]}, STARTING), "one is not Ready: 0 of 1 services are ready; not yet: etcd"),
    ],
    ids=["agent", "silent-agent"],
)
def test_at_the_end_of_the_time_the_last_reason_is_given(lab: FakeLab, text: str) -> None:
    with pytest.raises(UserError) as caught:
        wait(lab, limit=0.0)

    assert caught.value.what == text


def test_a_node_that_never_serves_its_channel_is_named_at_the_end_of_the_time() -> None:
    lab = FakeLab({"one": [said("x")]})
    lab.states["one"] |= {"channel": False}

    with pytest.raises(UserError, match="one does not serve its lab channel"):
        wait(lab, limit=0.0)


def test_what_is_proposed_fits_the_lab() -> None:
    one = boot.what_next("default", [{"name": "one", "kubernetes": True}])
    light = boot.what_next("x", [{"name": name, "kubernetes": False} for name in ("one", "two")])

    assert "The node is Ready" in one
    assert "hepto lab demo\n" in one
    assert "All 2 nodes are Ready" in light
    assert "kubectl" not in light
    assert "hepto lab exec --name x two -- hepto gossip" in light
    assert "hepto lab fault link --name x two down" in light


def test_a_medium_has_no_agent_to_wait_for() -> None:
    shell = {"shell-tty1": dump(ServiceStatus(State.READY, 1.0))}
    lab = FakeLab({"one": []}, {**READY, "services": shell})

    wait(lab, limit=10.0)

    assert "hepto lab exec -- hepto install" in boot.what_next("default", [{"name": "one", "format": "usb"}])


def test_a_node_s_report_names_services_and_phases() -> None:
    services = {"etcd": dump(ServiceStatus(State.STARTING, 1.0)), "agent": dump(ServiceStatus(State.READY, 1.0))}
    answer = {**said("waiting for service etcd"), "now": 5.0, "phases": READY["boot"]["phases"], "services": services}
    lab = FakeLab({"one": [answer]})

    found = boot.report(lab, lab.node_state("one"))  # type: ignore[arg-type]  # what it uses of a LabClient

    assert (found.says, found.ready) == ("waiting for service etcd", False)
    assert [(item.name, item.seconds) for item in found.not_up] == [("etcd", 4)]
    assert [phase["name"] for phase in found.phases] == ["mounts"]


@pytest.mark.parametrize(
    ("state", "text"),
    [({"on": False}, "off"), ({"channel": False}, "does not serve its lab channel (yet)"), ({}, "0 of 1 services")],
)
def test_a_node_that_says_nothing_has_one_line(state: dict[str, Any], text: str) -> None:
    lab = FakeLab({"one": [{}]}, STARTING)

    found = boot.report(lab, lab.node_state("one") | state)  # type: ignore[arg-type]

    assert found.says.startswith(text)
    assert (found.not_up, found.phases) == ((), ())
