"""`hepto lab` where there is no lab: what is refused, with which code, and what the help shows."""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hepto.cli.lab import command
from hepto.cli.lab_fault import fault
from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.lab import boot, client
from hepto.lab.readiness import Pending


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "--json"],
        ["exec", "one", "--", "true"],
        ["kubectl", "--", "get", "pods"],
        ["logs", "one", "agent"],
        ["logs", "one", "agent", "--json"],
        ["console"],
        ["power", "one", "off"],
        ["demo"],
        ["fault", "link", "two", "down"],
        ["fault", "prefix", "2001:db8:7::/64"],
        ["fault", "move", "two"],
        ["fault", "replace", "two"],
        ["fault", "mtu", "1400", "--silent"],
        ["fault", "loss", "one", "two", "30"],
        ["fault", "clock", "two", "1970-01-01"],
        ["fault", "nat64", "on"],
    ],
    ids=" ".join,
)
def test_without_a_lab_every_command_says_how_to_make_one(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["lab", *words])

    assert code == ExitCode.UNREACHABLE
    assert capsys.readouterr().err == "hepto: there is no lab 'default'\n       hepto lab up  makes one\n"


def test_ending_what_is_not_there_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "down"]) == ExitCode.DONE
    assert capsys.readouterr().out == "there is no lab default\n"
    assert main(["lab", "down", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == {"name": "default", "was": "absent"}


def test_status_shows_what_is_not_up_and_since_when(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = {"name": "one", "on": True, "link_up": True, "memory": 2048, "cpus": 1, "address": "2001:db8:1::5"}
    emulator = {"version": "10.0", "accelerator": "tcg"}
    snapshot = {"name": "default", "cluster": "demo", "emulator": emulator, "nodes": [node]}
    connection = contextlib.nullcontext(SimpleNamespace(snapshot=lambda: json.loads(json.dumps(snapshot))))
    not_up = (
        Pending("service", "etcd", "backoff", 300, "no space"),
        Pending("phase", "data", "running", 9, ""),
    )
    monkeypatch.setattr(client, "LabClient", lambda _: connection)
    monkeypatch.setattr(boot, "report", lambda *_: boot.Report("waiting for service etcd", not_up=not_up))

    assert main(["lab", "status"]) == ExitCode.DONE
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[2:] == ["waiting for service etcd", "service etcd backoff, 5 min: no space", "phase data running, 9 s"]
    assert main(["lab", "status", "--json"]) == ExitCode.DONE
    (found,) = json.loads(capsys.readouterr().out)["nodes"]
    assert found["says"] == "waiting for service etcd"
    assert found["ready"] is False
    assert [item["name"] for item in found["not_up"]] == ["etcd", "data"]
    assert found["phases"] == []


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ([], {"verb": "logs", "service": "agent", "follow": False}),
        (["-f"], {"verb": "logs", "service": "agent", "follow": True}),
        (["--since", "10m", "-n", "5", "-f"], ["-f", "-n", "5", "--since", "10m", "agent"]),
        (["--since", "boot", "--json"], ["--since", "boot", "--json", "agent"]),
    ],
    ids=str,
)
def test_logs_ask_the_channel_or_for_what_it_cannot_do_the_node(
    words: list[str], request_: dict[str, object] | list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, object]] = []

    def send(verb: str, **fields: object) -> int:
        sent.append({"to": verb, **fields})
        return 7

    connection = SimpleNamespace(send=send, copy=lambda number, *_: number - 7)
    monkeypatch.setattr(client, "LabClient", lambda _: contextlib.nullcontext(connection))
    if isinstance(request_, list):
        request_ = {"verb": "exec", "argv": [boot.PROGRAM, "logs", *request_], "stdin": None, "timeout": None}

    assert main(["lab", "logs", "one", "agent", *words]) == ExitCode.DONE
    assert sent == [{"to": "guest", "node": "one", "request": request_}]


@pytest.mark.parametrize("name", sorted(command.commands))
def test_every_command_has_examples_in_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", name, "--help"]) == ExitCode.DONE
    assert f"hepto lab {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(fault.commands))
def test_every_fault_has_examples_in_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "fault", name, "--help"]) == ExitCode.DONE
    assert f"hepto lab fault {name}" in capsys.readouterr().out
