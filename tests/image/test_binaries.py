from pathlib import Path

import pytest

from hepto.errors import ExitCode, UserError
from image.binaries import (
    SOURCE,
    check_space,
    commands,
    compiled,
    module_version,
    modules_of,
    ready,
    source_key,
    toolchain,
)
from image.spec import BINARIES
from tests.image.gobinary import with_note

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


def test_modules_are_named_as_go_mod_requires_them_with_what_was_compiled_in() -> None:
    note = "path\tx\nmod\tx\t(devel)\ndep\tk8s.io/kubernetes\tv1.37.2\th1:a\n"
    note += "dep\tk8s.io/api\tv0.0.0\n=>\tk8s.io/api\tv0.37.2\n"

    assert modules_of(with_note("go1.26.8", note)) == {"k8s.io/kubernetes": "v1.37.2", "k8s.io/api": "v0.37.2"}
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


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A go that writes its environment down, says that it downloads a toolchain, and compiles in no time."""
    program = tmp_path / "bin/go"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f"env > {tmp_path}/environment\n"
        'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then : > $2; exit; fi; shift; done\n'
        "[ \"$GOTOOLCHAIN\" = local ] || echo 'go: downloading go1.26.6 (linux/amd64)' >&2\n"
        "echo 'go version go1.26.6 linux/amd64'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    for name in ("GOCACHE", "GOMODCACHE", "GOFLAGS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "environment"


def variables(go: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in go.read_text().splitlines() if "=" in line)


@pytest.mark.usefixtures("go")
def test_what_go_downloads_does_not_enter_the_key(tmp_path: Path) -> None:
    """The first call fetches the toolchain and says so; the second must find what the first has compiled."""
    assert toolchain(tmp_path / "cache")[0] == "go version go1.26.6 linux/amd64"


def test_go_s_caches_are_below_ours(go: Path, tmp_path: Path) -> None:
    toolchain(tmp_path / "cache")

    found = variables(go)
    assert found["GOCACHE"] == str(tmp_path / "cache/go-build")
    assert found["GOMODCACHE"] == str(tmp_path / "cache/go-mod")
    assert found["GOFLAGS"] == "-modcacherw", "rm -r of the cache would need chmod first"


def test_who_says_where_go_s_caches_are_is_obeyed(go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOCACHE", "/elsewhere")
    monkeypatch.setenv("GOFLAGS", "-buildvcs=false")

    toolchain(tmp_path / "cache")

    assert variables(go)["GOCACHE"] == "/elsewhere"
    assert variables(go)["GOFLAGS"] == "-buildvcs=false -modcacherw"


def test_where_go_s_caches_are_does_not_enter_the_key(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack that was compiled with Go's caches in their old place is found again."""
    made = compiled(tmp_path / "cache", print)
    assert made.parent == tmp_path / "cache/stack"
    assert {path.name for path in made.iterdir()} == set(BINARIES)
    go.unlink()
    monkeypatch.setenv("GOCACHE", str(tmp_path / "old"))
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "older"))

    assert compiled(tmp_path / "cache", print) == made
    assert made.name == source_key("go version go1.26.6 linux/amd64")


def test_room_is_looked_for_before_anything_is_compiled(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 2\.0 GB free, .* may need 5\.0 GB") as caught:
        check_space(tmp_path, 2_000_000_000)

    assert "HEPTO_CACHE" in caught.value.hint
    check_space(tmp_path, 5_000_000_000)


def test_what_is_in_go_s_caches_already_needs_no_more_room(tmp_path: Path) -> None:
    (tmp_path / "go-build/00").mkdir(parents=True)
    with (tmp_path / "go-build/00/object").open("wb") as file:
        file.truncate(3_500_000_000)  # a hole

    check_space(tmp_path, 2_000_000_000)
    with pytest.raises(UserError, match=r"may need 1\.5 GB"):
        check_space(tmp_path, 1_000_000_000)
