"""`hepto lab up` without a machine: what is refused before QEMU is looked for, and what a lab that is there says."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hepto.cli.main import main
from hepto.errors import ExitCode
from hepto.lab import boot, client, state

KEY = "00" * 32


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def find(cache: Path) -> None:
        raise AssertionError("QEMU is looked for")

    monkeypatch.setattr("hepto.lab.emulator.find", find)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    directory = tmp_path / "image"
    directory.mkdir()
    sums = ""
    for name in ("vmlinuz", "initrd.cpio", "root.erofs"):
        (directory / name).write_text(name)
        sums += f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n"
    (directory / "SHA256SUMS").write_text(sums)
    return directory


def up(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["lab", "up", *words])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_without_an_image_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = up("--image", str(tmp_path / "none"), capsys=capsys)

    assert code == ExitCode.FAILED
    assert "run `hepto build` first" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["vmlinuz", "initrd.cpio", "root.erofs", "SHA256SUMS"])
def test_a_damaged_image_is_two_lines(name: str, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (image / name).write_text("")

    code, _, error = up("--image", str(image), capsys=capsys)

    assert (code, len(error.splitlines())) == (ExitCode.FAILED, 2)
    assert str(image) in error
    assert "hepto build" in error


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--key", "00ff"], "the arguments of a program are no secret"),
        (["--key", "@/nonexistent"], "No such file"),
        (["--key", "@/proc/self/comm"], "--key"),
        (["--no-key"], "--set hepto.insecure"),
        (["--admin", "/proc/self/comm"], "--admin"),
        (["--name", "No"], "cannot be the name of a lab"),
        (["--cluster", ""], "--cluster"),
        (["--cluster", "A_b!"], "--cluster=A_b!"),
        (["--cpus", "0"], "cpus"),
        (["--nodes", "13"], "nodes"),
        (["--memory", "99999999"], "this machine has"),
        (["--disk", "99999999999"], "disk"),
        (["--nodes", "2", "--set", "three:x=y"], "no node 'three'"),
        (["--nodes", "2", "--set", "two:hepto.clutser=x"], "hepto.cluster"),
        (["--set", "hepto.port=abc"], "hepto.port=abc"),
        (["--set", "hepto.name=other"], "--node"),
        (["--set", "hepto.cluster=other"], "--cluster"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_refused_before_anything_is_looked_for(
    words: list[str], text: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = up("--image", str(image), *words, capsys=capsys)

    assert code == ExitCode.USAGE
    assert text in error
    assert len(error.splitlines()) == 2


def test_all_mistakes_are_named_at_once_and_once(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--nodes", "3", "--set", "hepto.port=abc", "--set", "hepto.rol=x", "--key", "abc", "--memory", "99999999"]

    code, _, error = up("--image", str(image), *words, capsys=capsys)

    assert code == ExitCode.USAGE
    assert [line.startswith("hepto: ") for line in error.splitlines()] == [True, False] * 4
    assert "did you mean hepto.role?" in error


class Running:
    """A lab that is there, as a client sees it."""

    snapshot_: Mapping[str, Any] = {}

    def __init__(self, where: state.Place) -> None:
        del where

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def snapshot(self) -> Mapping[str, Any]:
        return self.snapshot_


@pytest.fixture
def running(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"cluster": "demo", "nodes": "2", "disk": "8192", "options": "not given", "no_router": "not given"}
    nodes = [{"name": name, "memory": 2048, "cpus": 1} for name in ("one", "two")]
    Running.snapshot_ = {"name": "default", "build": boot.build_of(image), "asked": asked, "nodes": nodes}
    monkeypatch.setattr(client, "LabClient", Running)
    monkeypatch.setattr(state, "alive", lambda _: True)
    credential = state.place("default").node("one").credential("hepto.key")
    credential.parent.mkdir(parents=True)
    credential.write_text(f"io.systemd.credential:hepto.key={KEY}")


@pytest.mark.usefixtures("running")
class TestALabThatIsThere:
    @pytest.mark.parametrize(
        "words", [[], ["--nodes", "2"], ["--memory", "2048", "--cpus", "1"], ["--key"]], ids=" ".join
    )
    def test_is_taken_if_nothing_differs(
        self, words: list[str], image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "key").write_text(KEY + "\n")
        words = [*words, f"@{tmp_path}/key"] if words == ["--key"] else words

        code, output, error = up("--image", str(image), "--no-wait", "--json", *words, capsys=capsys)

        assert code == ExitCode.DONE
        assert "already there" in error
        assert json.loads(output)["made"] is False

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["--nodes", "3"], "--nodes is 3 now and was 2"),
            (["--memory", "1024"], "--memory is 1024 now and was 2048"),
            (["--set", "hepto.cni=none"], "--set is hepto.cni=none now and was not given"),
            (["--no-router"], "--no-router is given now and was not given"),
            (["--no-key", "--set", "hepto.insecure"], "--no-key is another"),
        ],
        ids=" ".join,
    )
    def test_with_other_options_is_refused_by_name(
        self, words: list[str], text: str, image: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, _, error = up("--image", str(image), "--no-wait", *words, capsys=capsys)

        assert code == ExitCode.FAILED
        assert text in error
        assert error.splitlines()[1:] == ["       `hepto lab down` first, then `hepto lab up` makes it anew"]

    def test_that_an_earlier_version_has_made_is_taken(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        Running.snapshot_ = {"name": "default", "nodes": Running.snapshot_["nodes"]}

        assert up("--image", str(image), "--no-wait", "--nodes", "2", capsys=capsys)[0] == ExitCode.DONE

    def test_with_another_key_is_refused(self, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "key").write_text("11" * 32)

        code, _, error = up("--image", str(image), "--no-wait", "--key", f"@{tmp_path}/key", capsys=capsys)

        assert code == ExitCode.FAILED
        assert "--key is another" in error

    def test_with_an_image_that_was_built_anew_is_refused(
        self, image: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before, after = (hashlib.sha256(text).hexdigest() for text in (b"vmlinuz", b"another"))
        (image / "vmlinuz").write_text("another")
        (image / "SHA256SUMS").write_text((image / "SHA256SUMS").read_text().replace(before, after))

        code, _, error = up("--image", str(image), "--no-wait", capsys=capsys)

        assert code == ExitCode.FAILED
        assert f"it runs another build than that in {image}" in error
        assert "`hepto lab down` first" in error
