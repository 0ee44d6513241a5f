"""`hepto key --backup`: the half that is for everybody is shown, the other one is not."""

import json
import stat
import sys
from pathlib import Path

import pytest

from hepto import recipients
from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.wireguard import public_key


def fits(secret: str, recipient: str) -> bool:
    (key,) = recipients.private_keys(secret)
    return recipients.recipient(public_key(key.reveal())) == recipient


def test_the_private_half_goes_to_a_private_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "backup.key"

    assert main(["key", "--backup", "--output", str(file)]) == ExitCode.DONE
    said = capsys.readouterr()
    assert fits(file.read_text(), said.out.strip())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert recipients.SECRET_PREFIX not in said.out + said.err


def test_for_machines_it_is_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "backup.key"
    assert main(["key", "--backup", "--json", "--output", str(file)]) == ExitCode.DONE
    with_file = json.loads(capsys.readouterr().out)
    assert main(["key", "--backup", "--json"]) == ExitCode.DONE
    without = json.loads(capsys.readouterr().out)

    assert fits(file.read_text(), with_file.pop("recipient"))
    assert with_file == {"output": str(file)}
    assert fits(without["key"], without["recipient"])


def test_a_terminal_is_shown_it_only_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert main(["key", "--backup"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert recipients.SECRET_PREFIX not in said.out + said.err
    assert "--output FILE" in said.err
    assert main(["key", "--backup", "--output", "-"]) == ExitCode.DONE
    assert recipients.private_keys(capsys.readouterr().out)


def test_a_pipe_gets_what_age_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "--backup"]) == ExitCode.DONE
    comment, secret = capsys.readouterr().out.splitlines()

    assert fits(secret, comment.removeprefix("# public key: "))


def test_two_kinds_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "--backup", "--identity"]) == ExitCode.USAGE
    assert "two kinds" in capsys.readouterr().err
