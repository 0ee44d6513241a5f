"""Every linter is a test: what `make check` does not run is a wish."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

LINTERS = {
    "ruff-check": ["ruff", "check", "--no-cache", "."],
    "ruff-format": ["ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports", "--no-cache"],
    "shellcheck": ["shellcheck", "image/stage0.sh", ".ci/run"],
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LINTERS)
def test_linter_finds_nothing(name: str) -> None:
    program, *arguments = LINTERS[name]

    result = subprocess.run([str(BIN / program), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, f"{program} {' '.join(arguments)}\n{result.stdout}{result.stderr}"


def test_go_code_is_formatted() -> None:
    gofmt = shutil.which("gofmt")
    if gofmt is None:
        pytest.skip("no gofmt on this machine")

    result = subprocess.run([gofmt, "-l", "image/stack"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout == ""
