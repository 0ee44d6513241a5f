"""The wheel holds all that hepto needs, and works where nothing of the repository is."""

import os
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

from hepto.errors import UserError
from image import installed
from tests.test_architecture import ROOT, tracked

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
FOREIGN = ("click", "cryptography", "h11", "msgpack", "prctl", "pyroute2", "rich", "markdown_it", "mdurl", "pygments")
"""What the wheel depends on, and what that depends on: taken from the environment of the tests, not installed."""


def wanted() -> set[str]:
    """Every file of the repository that has to be in the wheel, as it is named there."""
    code = {path for root in ("hepto", "init", "image") for path in tracked(f"{root}/*")}
    data = {path for pattern in ("mkosi.conf", "docs/share/*") for path in tracked(pattern)}
    names = {path.relative_to(ROOT).as_posix() for path in code}
    return names | {f"data/{_target(path.relative_to(ROOT).as_posix())}" for path in data}


def _target(name: str) -> str:
    found = [folder for folder, patterns in SETTINGS["data-files"].items() if any(fnmatch(name, p) for p in patterns)]
    assert len(found) == 1, f"pyproject.toml: data-files has no place for {name}"
    return f"{found[0]}/{Path(name).name}"


def test_no_file_of_the_builder_is_forgotten() -> None:
    patterns = SETTINGS["package-data"]["image"]
    others = [path.relative_to(ROOT / "image") for path in tracked("image/*") if path.suffix != ".py"]

    assert others
    assert [str(path) for path in others if not any(_matches(path, pattern) for pattern in patterns)] == []
    assert [str(path) for root in ("hepto", "init") for path in tracked(f"{root}/*") if path.suffix != ".py"] == []
    assert wanted()


def _matches(path: Path, pattern: str) -> bool:
    # setuptools' ** is any number of folders, none as well; PurePath.match of Python 3.11 takes it for one.
    folder, star, _ = pattern.partition("/**/")
    return path.parts[0] == folder if star else path.match(pattern)


def test_the_builder_finds_mkosi_conf_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    class Found(metadata.PackagePath):
        def locate(self) -> Path:
            return tmp_path / "lib/site-packages" / self

    nowhere = tmp_path / "lib/site-packages"
    assert installed.configuration() == ROOT
    there = tmp_path / "share/hepto/mkosi.conf"
    files = [Found("hepto/cli/main.py"), Found("image/tools/mkosi.conf"), Found("../../share/hepto/mkosi.conf")]
    nowhere.mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        installed.configuration(nowhere, files)
    assert "no mkosi.conf" in str(caught.value)
    assert "in its repository" in caught.value.hint
    there.parent.mkdir(parents=True)
    there.touch()
    assert installed.configuration(nowhere, files) == there.parent


def test_the_version_is_the_repository_s_or_the_installed_package_s(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "7.0"\n')

    assert installed.version(tmp_path) == "7.0"
    assert installed.version(tmp_path / "nowhere") == metadata.version("hepto")


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that has to succeed; nothing of this process's environment but PATH."""
    settings = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C.UTF-8", **environment}
    result = subprocess.run([*map(str, words)], cwd=cwd, env=settings, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows, so that nothing of an earlier build is in it; without any network."""
    directory = tmp_path_factory.mktemp("wheel")
    for path in tracked("*"):
        copy = directory / "source" / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode & 0o777)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-build-isolation", "--no-index")
    run(*pip, "--no-deps", "--wheel-dir", directory, directory / "source", cwd=directory)
    (found,) = directory.glob("hepto-*.whl")
    return found


@pytest.fixture(scope="module")
def prefix(wheel: Path) -> Path:
    """A virtual environment with nothing but the wheel in it, and the libraries of this one in reach."""
    directory = wheel.parent / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", directory, cwd=wheel.parent)
    python = directory / "bin/python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=wheel.parent)
    (packages,) = directory.glob("lib/python3*/site-packages")
    for name in FOREIGN:
        source = Path(__import__(name).__file__ or "")
        source = source.parent if source.name == "__init__.py" else source
        (packages / source.name).symlink_to(source)
    for path in Path(__import__("prctl").__file__ or "").parent.glob("_prctl*"):
        (packages / path.name).symlink_to(path)
    return directory


@pytest.mark.long
@pytest.mark.timeout(600)
class TestBuilt:
    """A minute or two: pip starts four times."""

    def test_it_holds_every_file_and_no_other(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            names = {name for name in archive.namelist() if ".dist-info/" not in name}
            modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}

        assert wanted() == {name.partition(".data/")[2] or name for name in names}
        assert modes["image/trees/root/usr/bin/hepto"] & 0o111, "the node's command stays a program"

    def test_the_command_says_who_it_is_and_what_it_can(self, prefix: Path, tmp_path: Path) -> None:
        hepto = prefix / "bin/hepto"

        first, second = run(hepto, "--version", cwd=tmp_path).splitlines()
        assert first == f"hepto {installed.version()}"
        assert second.startswith("builds images with kubernetes v1.")
        help_text = run(hepto, "--help", cwd=tmp_path)
        assert "\n  build " in help_text
        assert "\n  lab " in help_text

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion_is_printed_and_installed(self, shell: str, prefix: Path, tmp_path: Path) -> None:
        from hepto.cli.manual import COMPLETIONS

        script = run(prefix / "bin/hepto", "completion", shell, cwd=tmp_path)

        assert f"_HEPTO_COMPLETE={shell}_complete" in script
        # The command's own echo ends the line once more.
        assert (prefix / "share" / COMPLETIONS[shell]).read_text() == script.removesuffix("\n")

    def test_bash_completes_with_what_is_installed(self, prefix: Path, tmp_path: Path) -> None:
        words = 'source "$1"; COMP_WORDS=(hepto lab st); COMP_CWORD=2; _hepto_completion hepto; echo "${COMPREPLY[@]}"'
        script = prefix / "share/bash-completion/completions/hepto"

        said = run("bash", "-c", words, "bash", script, cwd=tmp_path, PATH=f"{prefix}/bin:{os.environ['PATH']}")

        assert said == "status\n"

    def test_the_manual_is_installed(self, prefix: Path) -> None:
        assert (prefix / "share/man/man1/hepto-build.1").read_text().startswith('.TH "HEPTO\\-BUILD" 1')

    def test_the_builder_finds_its_files(self, prefix: Path, tmp_path: Path) -> None:
        program = (
            "from pathlib import Path; from image import binaries, installed, mkosi, output, spec, tree\n"
            "print(installed.configuration()); binaries.source_key('x'); output.STAGE0.read_bytes()\n"
            "(mkosi.TOOLS / 'mkosi.conf').read_bytes(); print(len(list(mkosi.PACKAGES.rglob('control'))))\n"
            "tree.install_code(installed.REPOSITORY, Path('root'))\n"
        )

        where, controls = run(prefix / "bin/python", "-c", program, cwd=tmp_path).splitlines()

        assert Path(where) == prefix / "share/hepto"
        assert controls == "1"
        root = tmp_path / "root"
        made = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        from image.tree import install_code

        install_code(ROOT, tmp_path / "same")
        same = tmp_path / "same"
        assert made == {path.relative_to(same).as_posix() for path in same.rglob("*") if path.is_file()}
        assert os.access(root / "usr/bin/hepto", os.X_OK)
