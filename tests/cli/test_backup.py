"""`hepto backup`: where it goes, from where, and what is refused."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hepto.api.operators import Ordered, Verb
from hepto.cli.main import main
from hepto.errors import ExitCode, PeerError, UserError
from init.contract import paths
from tests.cli.outside import Outside, outside

CONTENT = [b"age-encryption.org/v1\n", bytes(range(256)) * 1000]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in CONTENT:
            yield piece

    async def backup(arguments: tuple[str, ...], ordered: Ordered) -> object:
        return pieces()

    with outside(tmp_path, monkeypatch, {Verb.BACKUP: backup}) as found:
        yield found


def test_from_outside_it_goes_to_a_file(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    file = machine.home / "demo.age"

    code = main(machine.words("backup", "-o", str(file), "--json", "--ca", machine.ca))

    assert code == ExitCode.DONE, capsys.readouterr().err
    assert file.read_bytes() == b"".join(CONTENT)
    assert file.stat().st_mode & 0o777 == 0o600
    said = json.loads(capsys.readouterr().out)
    assert (said["path"], said["size"]) == (str(file), len(file.read_bytes()))
    assert machine.heard == [("backup",)]


def test_from_outside_a_file_has_to_be_named(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(machine.words("backup")) == ExitCode.USAGE
    assert "--output FILE" in capsys.readouterr().err
    assert machine.heard == []


@pytest.mark.parametrize("broken", [False, True])
def test_what_the_master_refuses_or_breaks_off_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield CONTENT[0]
        raise PeerError("no-backup", "etcd is away")

    async def backup(arguments: tuple[str, ...], ordered: Ordered) -> object:
        if broken:
            return pieces()
        raise UserError("mymaster has no recipients of backups", "boot it with hepto.backup-to=age1…")

    with outside(tmp_path, monkeypatch, {Verb.BACKUP: backup}) as machine:
        code = main(machine.words("backup", "-o", str(tmp_path / "demo.age"), "--ca", machine.ca))

    said = capsys.readouterr().err
    assert (code, "broke" in said) == ((ExitCode.UNREACHABLE, True) if broken else (ExitCode.FAILED, False))
    assert len(said.splitlines()) == 2
    assert list(tmp_path.glob("*demo.age*")) == []


def test_a_terminal_is_not_shown_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert main(["backup", "-o", "-"]) == ExitCode.USAGE
    assert main(["backup", "-o", "-", "--json"]) == ExitCode.USAGE


def test_a_machine_that_is_no_node_is_told_in_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "NODE", str(tmp_path / "node"))

    assert main(["backup"]) == ExitCode.UNREACHABLE
    assert "hepto lab exec NODE -- hepto backup" in capsys.readouterr().err
