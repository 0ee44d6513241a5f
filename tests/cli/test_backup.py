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

LISTED = [
    {"name": "mymaster-1.age", "size": 5, "made": 1000, "encrypted": True},
    {"name": "mymaster-2.age", "size": 6, "made": 2000, "encrypted": True},
    {"name": "mymaster-3.tar.gz", "size": 7, "made": 3000, "encrypted": False},
]
CONTENT = [b"age-encryption.org/v1\n", bytes(range(256)) * 1000]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in CONTENT:
            yield piece

    async def backup(arguments: tuple[str, ...], ordered: Ordered) -> object:
        return pieces()

    async def status(arguments: tuple[str, ...], ordered: Ordered) -> object:
        peers = [{"name": "two", "state": "down"}, {"name": "three", "state": "up"}]
        return {"node": "mymaster", "mesh": {"peers": peers}}

    async def backups(arguments: tuple[str, ...], ordered: Ordered) -> object:
        return LISTED

    async def copy(arguments: tuple[str, ...], ordered: Ordered) -> object:
        return pieces()

    verbs = {Verb.BACKUP: backup, Verb.STATUS: status, Verb.BACKUPS: backups, Verb.COPY: copy}
    with outside(tmp_path, monkeypatch, verbs) as found:
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


@pytest.mark.parametrize(
    ("wanted", "name", "made"), [((), "mymaster-2.age", 2000), (("--name", "mymaster-1.age"), "mymaster-1.age", 1000)]
)
def test_a_node_gives_back_the_newest_that_it_has_or_one_by_name(
    machine: Outside, capsys: pytest.CaptureFixture[str], wanted: tuple[str, ...], name: str, made: int
) -> None:
    file = machine.home / "demo.age"

    code = main(machine.words("backup", "--from", "mymaster", *wanted, "-o", str(file), "--json", "--ca", machine.ca))

    assert code == ExitCode.DONE, capsys.readouterr().err
    assert file.read_bytes() == b"".join(CONTENT)
    assert json.loads(capsys.readouterr().out)["made"] == made
    assert machine.heard == [("backups",), ("copy", name)]


def test_what_the_node_has_not_is_said_before_anything_is_written(
    machine: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine.home / "demo.age"

    for name in ("mymaster-3.tar.gz", "nothing"):
        words = machine.words("backup", "--from", "mymaster", "--name", name, "-o", str(file), "--ca", machine.ca)
        assert main(words) == ExitCode.FAILED
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 2
        assert f"mymaster has no encrypted backup {name}" in said[0]
    assert list(machine.home.glob("*.age")) == []


def test_a_list_names_every_node_that_is_up_and_those_that_do_not_answer(
    machine: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(machine.words("backup", "--list", "--json", "--ca", machine.ca)) == ExitCode.DONE
    said = capsys.readouterr()
    assert json.loads(said.out) == [{"node": "mymaster", **one} for one in LISTED]
    assert said.err.startswith("warning: three is not listed: ")
    assert "two" not in said.err

    assert main(machine.words("backup", "--list", "--ca", machine.ca)) == ExitCode.DONE
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["NODE", "MADE", "BYTES", "ENCRYPTED", "NAME"]
    assert [line.split()[-2:] for line in lines] == [
        ["yes", "mymaster-1.age"],
        ["yes", "mymaster-2.age"],
        ["no", "mymaster-3.tar.gz"],
    ]


def test_a_node_lists_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one/copies").mkdir(parents=True)
    (tmp_path / "one/copies/demo-two-20261130T161500Z.age").write_bytes(b"12345")
    (tmp_path / "node").symlink_to(tmp_path / "one")
    monkeypatch.setattr(paths, "NODE", str(tmp_path / "node"))

    assert main(["backup", "--list", "--json"]) == ExitCode.DONE
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["node"], one["name"], one["size"]) == ("one", "demo-two-20261130T161500Z.age", 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--list", "-o", "x"], "--list writes no backup"),
        (["--list", "--from", "two"], "--list writes no backup"),
        (["--name", "x"], "--from NODE"),
        (["--from", "two"], "--anchor HOST"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", *words]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_who_does_not_reach_the_master_hears_of_copies(machine: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(machine.words("backup", "--list", "--ca", machine.ca)) == ExitCode.DONE  # the CA is known from here on
    capsys.readouterr()
    machine.port = 1

    assert main(machine.words("backup", "-o", str(machine.home / "demo.age"))) == ExitCode.UNREACHABLE
    what, hint = capsys.readouterr().err.splitlines()
    assert "refuses connections" in what
    assert "hepto backup --list" in hint
    assert list(machine.home.glob("*demo.age*")) == []
