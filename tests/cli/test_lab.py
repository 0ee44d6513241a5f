"""`hepto lab` where there is no lab: what is refused, with which code, and what the help shows."""

from pathlib import Path

import pytest

from hepto.cli.lab import command
from hepto.cli.lab_fault import fault
from hepto.cli.main import main
from hepto.errors import ExitCode


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
        ["console"],
        ["power", "one", "off"],
        ["demo"],
        ["fault", "link", "two", "down"],
        ["fault", "prefix", "2001:db8:7::/64"],
        ["fault", "move", "two"],
        ["fault", "replace", "two"],
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


@pytest.mark.parametrize("name", sorted(command.commands))
def test_every_command_has_examples_in_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", name, "--help"]) == ExitCode.DONE
    assert f"hepto lab {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(fault.commands))
def test_every_fault_has_examples_in_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "fault", name, "--help"]) == ExitCode.DONE
    assert f"hepto lab fault {name}" in capsys.readouterr().out
