from pathlib import Path

import pytest

from hepto.errors import ExitCode, UserError
from image.binaries import INFO_END, INFO_START, SOURCE, commands, module_version, modules_of, ready, toolchain
from image.spec import BINARIES

PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00"
"""How a program for amd64 begins: ELF64, little-endian, ET_EXEC, EM_X86_64."""


def test_the_kubernetes_version_is_stamped_from_go_mod() -> None:
    version = module_version((SOURCE / "go.mod").read_text(), "k8s.io/kubernetes")

    multicall = commands(version, Path("/out"))[0]

    assert f"-X k8s.io/component-base/version.gitVersion={version}" in multicall[multicall.index("-ldflags") + 1]
    assert multicall[-1] == "."


def test_every_binary_is_built() -> None:
    outputs = {Path(words[words.index("-o") + 1]).name for words in commands("v1.37.2", Path("/out"))}

    assert outputs == set(BINARIES)


def test_a_module_that_go_mod_lacks_is_named() -> None:
    with pytest.raises(LookupError, match="example.com/absent"):
        module_version("module x\n\nrequire (\n\tk8s.io/api v0.1.0\n)\n", "example.com/absent")


def test_modules_are_read_from_the_compilers_note() -> None:
    note = "path\tx\nmod\tx\t(devel)\ndep\tk8s.io/kubernetes\tv1.37.2\th1:a\n"
    note += "dep\tk8s.io/api\tv0.0.0\n=>\tk8s.io/api\tv0.37.2\n"
    binary = b"junk" + INFO_START + note.encode() + INFO_END + b"junk"

    assert modules_of(binary) == {"k8s.io/kubernetes": "v1.37.2", "k8s.io/api": "v0.37.2"}
    assert modules_of(b"no Go at all") == {}


def program(path: Path, head: bytes = PROGRAM, mode: int = 0o755) -> None:
    path.write_bytes(head)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("head", "mode"),
    [
        (b"", 0o755),
        (b"#!/bin/sh\nexec true\n", 0o755),
        (PROGRAM.replace(b"\x3e", b"\xb7"), 0o755),
        (PROGRAM[:19], 0o755),
        (PROGRAM, 0o644),
    ],
    ids=["empty", "script", "arm64", "cut off", "not executable"],
)
def test_what_no_node_can_run_is_refused_by_its_name(tmp_path: Path, head: bytes, mode: int) -> None:
    for name in BINARIES:
        program(tmp_path / name)
    program(tmp_path / BINARIES[1], head, mode)

    with pytest.raises(UserError, match=f"^{BINARIES[1]} in .*: no program for amd64") as caught:
        ready(tmp_path)

    assert caught.value.code is ExitCode.USAGE


def test_a_directory_of_that_name_is_no_program(tmp_path: Path) -> None:
    for name in BINARIES:
        (tmp_path / name).mkdir()

    with pytest.raises(UserError, match="has no"):
        ready(tmp_path)


def test_a_folder_that_lacks_a_binary_is_refused_by_its_name(tmp_path: Path) -> None:
    for name in BINARIES[:-1]:
        program(tmp_path / name)

    with pytest.raises(UserError, match=f"has no {BINARIES[-1]}") as caught:
        ready(tmp_path)

    assert caught.value.code is ExitCode.USAGE


def test_a_whole_folder_is_taken(tmp_path: Path) -> None:
    for name in BINARIES:
        program(tmp_path / name)

    assert ready(tmp_path) == tmp_path


def test_what_go_downloads_does_not_enter_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call fetches the toolchain and says so; the second must find what the first has compiled."""
    program = tmp_path / "go"
    program.write_text(
        "#!/bin/sh\necho 'go: downloading go1.26.6 (linux/amd64)' >&2\necho 'go version go1.26.6 linux/amd64'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert toolchain(tmp_path / "cache")[0] == "go version go1.26.6 linux/amd64"
