"""The commands of the documentation that look into a built image (marker `image`)."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import Where, commands, where

pytestmark = pytest.mark.image


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.IMAGE])
def test_it_does_what_it_says(command: str, image: Path, tmp_path: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program.endswith("hepto")

    words = [sys.executable, "-m", "hepto", *arguments, "--output", str(image)]
    result = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert result.stdout or list(tmp_path.iterdir())
