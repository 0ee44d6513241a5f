"""`hepto boot-chart`: which form goes where, of which boot, and what is refused."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hepto.cli import boot_chart
from hepto.cli.main import main
from hepto.edge import evidence
from hepto.errors import ExitCode
from init.contract.boots import Record
from tests.chart.example import said


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is a node, and its agent answers."""
    monkeypatch.setattr(boot_chart, "ask_agent", said)


def test_a_pipe_gets_the_picture(node: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot-chart"]) == ExitCode.DONE
    assert ET.fromstring(capsys.readouterr().out).tag.endswith("svg")


def test_a_terminal_gets_the_text(
    node: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["boot-chart"]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert main(["boot-chart", "--text"]) == ExitCode.DONE
    assert capsys.readouterr().out == shown
    assert shown.startswith("Boot of one: ready after 36.6 s\n")


def test_machines_get_json(node: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot-chart", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["ready"] == 36.6


@pytest.mark.parametrize(("form", "begin"), [([], "<svg"), (["--text"], "Boot of one"), (["--json"], "{")])
def test_a_file_gets_any_form(
    node: None, form: list[str], begin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["boot-chart", *form, "-o", str(tmp_path / "chart")]) == ExitCode.DONE
    assert capsys.readouterr().out == ""
    assert (tmp_path / "chart").read_text().startswith(begin)


def test_the_boot_before_is_drawn_from_its_record(
    node: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = said()
    before["course"]["steps"]["ready"] = 40.0
    monkeypatch.setattr(evidence, "record_before", lambda: Record("id", 0.0, 90.0, said=before))

    assert main(["boot-chart", "--before", "--text"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("Boot of one: ready after 40.0 s")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["--text", "--json"], ExitCode.USAGE, "two forms of one chart"),
        (["--before"], ExitCode.FAILED, "there is no record of a boot before"),
        (["--before", "--anchor", "one.example.org"], ExitCode.USAGE, "--before is read from the node's own disk"),
        (["node3"], ExitCode.USAGE, "--anchor HOST"),
        (["-o", "/no/such/directory/chart"], ExitCode.FAILED, "No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_in_two_lines(
    node: None,
    words: list[str],
    code: ExitCode,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(evidence, "record_before", lambda: None)

    assert main(["boot-chart", *words]) == code
    error = capsys.readouterr().err
    assert what in error
    assert len(error.splitlines()) == 2


@pytest.mark.parametrize("answer", [{"now": 1.0, "node": None}, {"now": 1.0, "node": "one", "phases": 3}])
def test_a_node_that_says_nothing_of_it_or_nonsense_is_told(
    answer: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boot_chart, "ask_agent", lambda: answer)

    assert main(["boot-chart"]) == ExitCode.FAILED
    assert len(capsys.readouterr().err.splitlines()) == 2
