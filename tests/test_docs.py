"""Every command in the documentation is run by a test: those that need no node, here."""

import ast
import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hepto import sources
from hepto.config import resolve
from hepto.given import SourceKind
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


def test_every_link_to_a_heading_finds_it() -> None:
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            text = (page.parent / target if target else page).read_text()
            lines = (line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#"))
            if heading not in {re.sub(r"[^a-z0-9 -]", "", line).replace(" ", "-") for line in lines}:
                broken.append(f"{page.name}: {target}#{heading}")

    assert broken == []


@functools.cache
def words_of_the_code() -> str:
    """All texts in the sources of what runs."""
    paths = (path for root in ("init", "hepto", "image") for path in (ROOT / root).rglob("*.py"))
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text())))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


SYMPTOMS = [
    part.strip(" ;")
    for line in (ROOT / "docs/troubleshooting.md").read_text().splitlines()
    if line.startswith("| ")
    for said in re.findall("`([^`]+)`", line.split("|")[1])
    for part in said.split("…")
    if part.strip(" ;()")
]


def test_symptoms_are_found() -> None:
    assert len(SYMPTOMS) > 40


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_what_hepto_is_said_to_say_is_in_its_code(symptom: str) -> None:
    assert symptom in words_of_the_code()


BLOCKS = [
    block
    for block in re.split(r"\n\n", (ROOT / "docs/quickstart.md").read_text())
    if all(re.match(r"    [a-z-]+=", line) for line in block.splitlines())
]


def test_the_configurations_of_the_quick_starts_are_found() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS)
def test_a_configuration_of_the_quick_starts_has_no_mistake(block: str) -> None:
    given = sources.parse_file(block.encode(), "hepto.conf", SourceKind.VOLUME)

    assert resolve(given, key_elsewhere=True).mistakes == ()


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
