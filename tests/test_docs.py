"""Every command in the documentation is run by a test: those that need no node, here."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hepto.options import OPTIONS
from init.contract import paths
from init.contract.status import Reason
from tests.documentation import ROOT, Where, commands, where


@pytest.mark.parametrize("command", commands())
def test_some_test_runs_it(command: str) -> None:
    assert where(command) is not None


def test_commands_are_found_at_all() -> None:
    found = {where(command) for command in commands()}

    assert {Where.UNIT, Where.NODE, Where.LAB, Where.IMAGE, Where.MAKE} <= found


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.UNIT])
def test_it_does_what_it_says(command: str, tmp_path: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program.endswith("hepto")

    result = subprocess.run(
        [sys.executable, "-m", "hepto", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_the_closed_list_of_reasons_is_whole() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    listed = " ".join(text.partition("(`init/contract/status.py`): ")[2].partition(".")[0].split()).split(", ")

    assert sorted(listed) == sorted(reason.value for reason in Reason)


def test_a_plugin_is_told_the_places_that_it_may_write_to() -> None:
    (row,) = re.findall(
        r"^\| files \| (.*?) are on the data disk", (ROOT / "docs/networking.md").read_text(), re.MULTILINE
    )

    named = re.findall(r"`(/[^`]+)`", row)
    of_kubernetes = {"/var/lib/kubelet", "/var/lib/containerd", "/etc/kubernetes"}
    assert sorted(named) == sorted({place for _, place in paths.WRITABLE} - of_kubernetes)


def test_the_options_that_must_agree_are_named() -> None:
    text = " ".join((ROOT / "docs/boot.md").read_text().split())

    (sentence,) = re.findall(r"a warning names both\. For (.*?) it is an error", text)
    assert re.findall(r"`([a-z-]+)`", sentence) == [option.name for option in OPTIONS if option.must_agree]


def test_files_that_the_project_s_settings_name_are_there() -> None:
    named = re.findall(r"\btests/[\w/.]+\.py\b", (ROOT / "pyproject.toml").read_text())

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
