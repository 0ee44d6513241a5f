"""Every command in the documentation is run by a test: those that need no node, here."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import Where, commands, where


@pytest.mark.parametrize("command", commands())
def test_some_test_runs_it(command: str) -> None:
    assert where(command) is not None


def test_commands_are_found_at_all() -> None:
    found = {where(command) for command in commands()}

    assert {Where.UNIT, Where.NODE, Where.LAB, Where.MAKE} <= found


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.UNIT])
def test_it_does_what_it_says(command: str, tmp_path: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program.endswith("hepto")

    result = subprocess.run(
        [sys.executable, "-m", "hepto", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


def test_every_link_leads_somewhere() -> None:
    import re

    from tests.documentation import ROOT

    broken = [
        f"{page.name}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []
