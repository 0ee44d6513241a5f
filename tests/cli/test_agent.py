"""`hepto agent` where no PID 1 has started it."""

from pathlib import Path

import pytest

from hepto.cli.agent import command
from hepto.cli.main import main
from hepto.errors import ExitCode, UserError


def test_outside_a_node_it_is_two_lines(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="runs on a node only") as caught:
        command([], str(tmp_path / "init.sock"))

    assert caught.value.code is ExitCode.UNREACHABLE
    assert "hepto lab up" in caught.value.hint


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_its_help_has_examples(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", word]) == ExitCode.DONE
    assert "Examples:\n    hepto service restart agent" in capsys.readouterr().out


def test_it_takes_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "--now"]) == ExitCode.USAGE
    assert len(capsys.readouterr().err.splitlines()) == 2
