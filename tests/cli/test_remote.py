"""status, logs and service from outside: what is asked of whom, and the words that choose."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hepto.api.operators import Ordered, Verb
from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.node.course import Course, plain
from hepto.node.status import answer
from hepto.node.status import status as status_of
from init.contract.status import PhaseState, PhaseStatus
from tests.cli.outside import Outside, outside
from tests.node.facts import DONE, running

BOOTED = replace(running(), boot=replace(DONE, phases=(PhaseStatus("data", PhaseState.DONE, 1.0, 0.5),)))
STATUS = answer(status_of(BOOTED), 10.0, course=plain(Course(0.0).follow(status_of(BOOTED), 5.0)))

CRASHES = [
    {"service": "etcd", "wall": 0.0, "cause": "\x1b[2J", "number": 1, "up": 2.0, "memory_peak": None, "lines": ["a\tb"]}
]


async def status(_: tuple[str, ...], __: Ordered) -> object:
    return json.loads(json.dumps(STATUS))


async def logs(arguments: tuple[str, ...], _: Ordered) -> object:
    async def lines() -> AsyncIterator[bytes]:
        yield b"2026-07-01T00:00:00Z one\n"
        yield b"2026-07-01T00:00:01Z two\n"

    return lines()


async def service(arguments: tuple[str, ...], _: Ordered) -> object:
    return {"list": STATUS["services"], "crashes": CRASHES}.get(arguments[0])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    with outside(tmp_path, monkeypatch, {Verb.STATUS: status, Verb.LOGS: logs, Verb.SERVICE: service}) as found:
        yield found


def run(machine: Outside, *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    code = main(machine.words(*words, "--ca", machine.ca))
    output = capsys.readouterr()
    assert (code, output.err) == (ExitCode.DONE, "")
    return output.out


def test_a_member_s_status_looks_as_on_the_node(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(machine, "status", "--json", capsys=capsys)) == json.loads(json.dumps(STATUS))
    assert "underlay" in run(machine, "status", "mymaster", capsys=capsys)
    assert machine.heard == [("status",), ("status",)]


def test_a_member_s_boot_is_drawn_from_its_status(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(machine, "boot-chart", "mymaster", "--text", capsys=capsys).startswith("Boot of one: ready after 5.0 s")
    assert machine.heard == [("status",)]


def test_logs_come_as_they_are(machine: Outside, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(machine.words("logs", "mymaster", "etcd", "-f", "-n", "2", "--ca", machine.ca)) == 0
    assert capfdbinary.readouterr().out == b"2026-07-01T00:00:00Z one\n2026-07-01T00:00:01Z two\n"
    assert main(machine.words("logs", "mymaster", "etcd", "--json", "--since", "10m")) == 0
    assert main(machine.words("logs", "mymaster")) == 0
    assert machine.heard == [
        ("logs", "etcd", "2", "", "1", ""),
        ("logs", "etcd", "", "10m", "", "1"),
        ("logs", "", "", "", "", ""),
    ]


def test_services_are_listed_and_ordered(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(run(machine, "service", "mymaster", "list", "--json", capsys=capsys)) == STATUS["services"]
    assert json.loads(run(machine, "service", "mymaster", "crashes", "--json", capsys=capsys))[0]["service"] == "etcd"
    assert "\x1b" not in run(machine, "service", "crashes", "etcd", capsys=capsys)
    assert run(machine, "service", "mymaster", "restart", "kubelet", capsys=capsys) == ""
    assert run(machine, "service", "poweroff", capsys=capsys) == ""
    assert machine.heard == [
        ("service", "list", ""),
        ("service", "crashes", ""),
        ("service", "crashes", "etcd"),
        ("service", "restart", "kubelet"),
        ("service", "poweroff", ""),
    ]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["status", "node1"], "--anchor HOST"),
        (["logs", "node1", "etcd"], "--anchor HOST"),
        (["service", "node1", "restart", "etcd"], "--anchor HOST"),
        (["logs", "--anchor", "one.example.org"], "NODE SERVICE"),
        (["logs", "node1", "etcd", "--since", "noon", "--anchor", "one.example.org"], "--since 10m"),
        (["service", "nonsense"], "there is no command"),
        (["service", "nonsense", "more"], "there is no command"),
    ],
)
def test_wrong_use_is_said(words: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitCode.USAGE
    assert what in capsys.readouterr().err
