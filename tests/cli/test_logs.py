"""`hepto logs`: which lines it shows, without a service, and where there is no node."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hepto.cli.main import main
from hepto.edge import logs
from hepto.errors import ExitCode
from init import logread
from init.contract import paths
from tests.fakes.logs import LogWriter

EARLIER, THIS = b"e" * 16, b"t" * 16


@pytest.mark.parametrize("words", [[], ["--json"], ["kubelet"], ["kubelet", "-f"]], ids=" ".join)
def test_a_machine_that_is_no_node_is_told_in_two_lines(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logread, "services", lambda: ())
    monkeypatch.setattr(paths, "BOOT", str(tmp_path / "boot.json"))

    assert main(["logs", *words]) == ExitCode.UNREACHABLE
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines()[0] == "hepto: this machine is not a node of hepto (or its PID 1 has not begun)"
    assert "hepto lab logs" in output.err.splitlines()[1]


def test_a_node_without_any_log_is_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logread, "services", lambda: ())
    monkeypatch.setattr(paths, "BOOT", str(tmp_path / "boot.json"))
    (tmp_path / "boot.json").touch()

    assert main(["logs"]) == ExitCode.DONE
    assert main(["logs", "kubelet"]) == ExitCode.FAILED
    assert "kubelet has no log" in capsys.readouterr().err


def test_the_services_are_lines_or_one_array(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logread, "services", lambda: ("agent", "kubelet"))

    assert main(["logs"]) == ExitCode.DONE
    assert capsys.readouterr().out == "agent\nkubelet\n"
    assert main(["logs", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == ["agent", "kubelet"]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LogWriter]:
    """The logs of this node, which has been up for 1000 s at 5000 s after 1970."""
    writer = LogWriter(tmp_path)
    monkeypatch.setattr(logread, "places", lambda: writer.where)
    monkeypatch.setattr(logs, "boot_id", lambda: THIS)
    monkeypatch.setattr(logs, "now", lambda: 1000.0)
    monkeypatch.setattr(time, "time", lambda: 5000.0)
    yield writer
    writer.close()


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["logs", "etcd", *words]) == ExitCode.DONE
    return [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]


def test_since_is_a_duration_a_time_of_day_or_this_boot(log: LogWriter, capsys: pytest.CaptureFixture[str]) -> None:
    log.write("etcd", b"the boot before\n", EARLIER, wall=4950.0, boot=90000.0)
    log.write("etcd", b"before the clock was set\n", THIS, wall=0.0, boot=980.0)
    log.write("etcd", b"now\n", THIS, wall=4990.0, boot=990.0)

    assert shown(capsys) == ["the boot before", "before the clock was set", "now"]
    assert shown(capsys, "--since", "60s") == ["the boot before", "before the clock was set", "now"]
    assert shown(capsys, "--since", "30s") == ["before the clock was set", "now"]
    assert shown(capsys, "--since", "10s") == ["now"]
    assert shown(capsys, "--since", "boot") == ["before the clock was set", "now"]
    assert shown(capsys, "--since", "1970-01-01T01:23:05Z") == ["now"]
    assert shown(capsys, "--since", "1970-01-01 01:22", "-n", "1") == ["now"]
    assert shown(capsys, "--since", "1970-01-01T03:23:11+02:00") == []


def test_what_follows_has_its_times_too_and_may_be_json(log: LogWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is written while it waits."""
    log.write("etcd", b"old\n", THIS, wall=4000.0, boot=10.0)
    log.write("etcd", b"new\nhal", THIS, wall=4990.0, boot=990.0)
    out: list[str] = []
    monkeypatch.setattr(click, "echo", out.append)
    pauses = iter((b"f\n", b"more\n"))

    def wait(_: float) -> None:
        data = next(pauses, None)
        if data is None:
            raise KeyboardInterrupt
        log.write("etcd", data, THIS, wall=5001.0, boot=1001.0)

    monkeypatch.setattr(time, "sleep", wait)
    main(["logs", "etcd", "-f", "--since", "1m", "--json"])

    assert [(found["text"], found["boot"]) for found in map(json.loads, out)] == [
        ("new", 990.0),
        ("half", 990.0),
        ("more", 1001.0),
    ]


@pytest.mark.parametrize("text", ["noon", "10", "-5m", "yesterday", "2026-13-01", "\x1b[2J"])
def test_another_since_is_refused_in_two_lines(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "etcd", f"--since={text}"]) == ExitCode.USAGE
    first, second = capsys.readouterr().err.splitlines()
    assert "is no duration, no time of day and not “boot”" in first
    assert "\x1b" not in first
    assert "--since 10m" in second
