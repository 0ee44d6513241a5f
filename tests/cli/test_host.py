"""`hepto start`, `stop` and `list` before anything is made: what is wrong is two lines and an exit code."""

from dataclasses import replace
from pathlib import Path

import pytest

from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.host import links, place, probe
from tests.host.test_checks import GOOD

KEY = "00" * 32


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host where all is well, and where nothing is ever started."""

    def start(*_words: object) -> None:
        raise AssertionError("a keeper is started")

    monkeypatch.setattr("hepto.host.starter.Keeper", start)
    monkeypatch.setattr(place, "RUN", tmp_path / "run")
    monkeypatch.setattr(probe, "look", lambda: GOOD)
    monkeypatch.setattr(links, "check", lambda _name: None)
    (tmp_path / "demo.key").write_text(KEY)
    (tmp_path / "root.erofs").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    usual = ("-name", "n1", "-iface", "eth0", "-key", "@demo.key", "--image", ".", "-data", f"{Path.cwd()}/data")
    code = main(["start", *usual, *words])
    output = capsys.readouterr()
    return code, output.err.splitlines(), output.out


def test_without_root_nothing_is_looked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "look", lambda: replace(GOOD, root=False))

    def read() -> None:
        raise PermissionError(13, "Permission denied", "product_uuid")

    monkeypatch.setattr("hepto.node.identity.machine_uuid", read)

    code, lines, _ = start(capsys=capsys)

    assert (code, len(lines)) == (ExitCode.REFUSED, 2)
    assert "needs root" in lines[0]


def test_all_that_a_host_lacks_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "look", lambda: replace(GOOD, cgroup2=False, others=("kubelet",)))

    code, lines, _ = start(capsys=capsys)

    assert (code, len(lines)) == (ExitCode.REFUSED, 4)
    assert [line.startswith("hepto: ") for line in lines] == [True, False, True, False]
    assert "(kubelet)" in lines[2]


def test_mistakes_of_the_configuration_come_first_and_no_key_is_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "look", lambda: replace(GOOD, root=False))

    code = main(["start", "-name", "n1", "-role", "king"])
    lines = capsys.readouterr().err.splitlines()

    assert (code, len(lines)) == (ExitCode.USAGE, 4)
    assert "--role=king" in lines[0]


def test_an_interface_that_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(probe, "look", lambda: GOOD)

    code = main(["start", "-name", "n1", "-iface", "no-such0", "--insecure", "--image", __file__])
    lines = capsys.readouterr().err.splitlines()

    assert (code, len(lines)) == (ExitCode.USAGE, 2)
    assert "there is no interface no-such0" in lines[0]


def test_without_an_image_there_is_no_node(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = start("--image", "nowhere", capsys=capsys)

    assert (code, len(lines)) == (ExitCode.USAGE, 2)
    assert "nowhere is not there" in lines[0]


def test_a_name_that_is_in_use_is_refused(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = place.Place(place.RUN / "n1")
    lock = place.acquire(where)
    assert lock is not None
    where.directory.mkdir()
    where.write(place.Record("n1", "other", "full", "eth0", "/srv", 1, "/nowhere", pid=7))

    code, lines, _ = start(capsys=capsys)

    assert (code, len(lines)) == (ExitCode.REFUSED, 2)
    assert "a node n1 runs on this host already (cluster other, pid 7)" in lines[0]
    assert "hepto stop n1" in lines[1]


def test_a_unit_is_printed_and_nothing_looked_at(
    host: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(probe, "look")
    monkeypatch.setattr("sys.argv", ["/usr/bin/hepto", "start", "-name", "n1", "-key", "@demo.key", "--systemd-unit"])

    code, _, text = start("--systemd-unit", capsys=capsys)

    assert code == ExitCode.DONE
    assert f"ExecStart=/usr/bin/hepto start -name n1 -key @{host}/demo.key\n" in text
    assert KEY not in text


def test_what_does_not_run_cannot_be_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)

    code = main(["stop", "n9"])
    lines = capsys.readouterr().err.splitlines()

    assert (code, len(lines)) == (ExitCode.UNREACHABLE, 2)
    assert "no node n9 runs" in lines[0]


@pytest.mark.parametrize("words", [["stop", "n1"], ["list"]])
def test_only_root_sees_the_nodes(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    code = main(words)

    assert (code, len(capsys.readouterr().err.splitlines())) == (ExitCode.REFUSED, 2)


def test_no_node_is_an_empty_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert main(["list", "--json"]) == ExitCode.DONE
    assert capsys.readouterr().out == "[]\n"
