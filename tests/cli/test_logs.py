"""`hepto logs` without a service, and where there is no node."""

import json
from pathlib import Path

import pytest

from hepto.cli.main import main
from hepto.errors import ExitCode
from init import logread
from init.contract import paths


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


def test_what_is_still_to_come_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Objects first and then bare text would be neither."""
    assert main(["logs", "kubelet", "--json", "-f"]) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines()[1] == "       leave out --json or --follow"
