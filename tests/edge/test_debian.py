from pathlib import Path

import pytest

from hepto.edge import debian
from hepto.edge.apt import read_sources, sources_for
from hepto.edge.cache import key_of
from hepto.edge.debian import GO_PACKAGES, SUITE, Qemu, ensure_go, machine_codename, version_of
from hepto.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mkosi 25.3", (25, 3)),
        ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-1~bpo12+1)", (10, 0, 2)),
        ("mkosi 26~devel", (26,)),
        ("no number at all", ()),
    ],
)
def test_versions_are_read_from_a_tools_answer(text: str, expected: tuple[int, ...]) -> None:
    assert version_of(text) == expected


def test_a_version_too_old_compares_as_too_old() -> None:
    assert version_of("QEMU emulator version 7.2.22") < (10,)
    assert () < (10,)


def test_codename_is_read_from_os_release(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('NAME="Debian"\nVERSION_CODENAME="bookworm"\n')

    assert machine_codename(tmp_path) == "bookworm"
    assert machine_codename(tmp_path / "absent") == "trixie"


def test_qemus_argv_names_its_data() -> None:
    qemu = Qemu(Path("/b/qemu"), (Path("/d1"), Path("/d2")))

    assert qemu.argv == ("/b/qemu", "-L", "/d1", "-L", "/d2")
    assert Qemu(Path("/b/qemu")).argv == ("/b/qemu",)


def a_go_that_answers(directory: Path, text: str) -> None:
    program = directory / "go"
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)


def test_the_machines_go_is_used_if_it_can_fetch_toolchains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_go_that_answers(tmp_path, "go version go1.21.0 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert ensure_go(tmp_path / "cache") == {}


def test_a_tool_that_does_not_say_its_version_is_a_matter_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "go").write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(debian, "ANSWER_SECONDS", 0.1)

    with pytest.raises(UserError, match="“go version” did not end"):
        ensure_go(tmp_path / "cache")


def test_a_go_too_old_is_put_behind_debians_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_go_that_answers(tmp_path, "go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    entry = tmp_path / "cache/go" / key_of(SUITE, sources_for(read_sources(), SUITE), *GO_PACKAGES)
    entry.mkdir(parents=True)

    environment = ensure_go(tmp_path / "cache")

    assert environment["PATH"].split(":")[:2] == [str(entry / "root/usr/lib/go-1.24/bin"), str(tmp_path)]
    assert environment["GOTOOLCHAIN"] == "auto"
