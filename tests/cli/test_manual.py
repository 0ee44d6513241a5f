"""The manual pages and completion scripts that the wheel installs say what the commands do."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.cli import manual
from hepto.cli.main import COMMANDS, command_group
from tests.cli.test_main import tree

SHARE = Path(__file__).parents[2] / "docs/share"
MACROS = {"TH", "SH", "SS", "PP", "TP", "B", "BR", "nf", "fi"}
FILES = manual.files()
PAGES = {name: text for name, text in FILES.items() if name.startswith("man/")}


def test_what_is_in_the_repository_is_what_would_be_written() -> None:
    present = {path.relative_to(SHARE).as_posix() for path in SHARE.rglob("*") if path.is_file()}

    assert present == set(FILES), "run: python -m hepto.cli.manual"
    changed = [name for name, text in FILES.items() if (SHARE / name).read_text() != text]
    assert changed == [], "run: python -m hepto.cli.manual"


def test_every_command_and_option_has_its_place() -> None:
    group = command_group()
    for name, row in COMMANDS.items():
        if row.is_program:
            assert f"man/man1/hepto-{name}.1" not in PAGES
            continue
        page = PAGES[f"man/man1/hepto-{name}.1"]
        command = group.get_command(click.Context(group), name)
        assert command
        for found in tree(command):
            options = [option for option in found.params if isinstance(option, click.Option) and not option.hidden]
            for option in options:
                assert manual.escape(option.opts[0]) in page
            for example in re.findall(r"^ +(hepto .*)$", (found.help or "") + (found.epilog or ""), re.MULTILINE):
                assert manual.escape(example.strip()) in page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_ascii_and_has_only_the_macros_of_man(name: str) -> None:
    page = PAGES[name]

    assert page.isascii()
    requests = {line[1:].split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests <= MACROS
    assert [line for line in page.splitlines() if line.endswith(" ") or not line] == []


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), min_size=1))
def test_no_text_becomes_a_command_of_the_formatter(words: list[str]) -> None:
    escaped = manual.escape(" ".join(words))

    assert not escaped.startswith((".", "'"))
    assert escaped.isascii()
    # What is left of backslashes are the escapes meant.
    assert re.sub(r"\\(e|-|&|\((ga|ha|ti)|\[u[0-9A-F]{4,6}\])", "", escaped).count("\\") == 0


def formatted(page: str) -> str:
    """As a terminal shows it, without bold; a warning fails."""
    command = ["groff", "-man", "-Tutf8", "-ww"]
    result = subprocess.run(command, input=page, capture_output=True, text=True, check=True)

    assert result.stderr == ""
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", result.stdout)


@pytest.mark.parametrize("name", PAGES)
def test_groff_has_nothing_to_say(name: str) -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff on this machine")

    assert "NAME" in formatted(PAGES[name])


def test_groff_shows_what_was_written() -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff on this machine")
    text = '\'.x \\n -a --b `c` ^d ~e “f” … "g"'

    assert text in formatted("\n".join([*manual._head("x", text), ""]))


def test_files_are_written_where_they_belong(tmp_path: Path) -> None:
    manual.main(tmp_path)

    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(FILES)
