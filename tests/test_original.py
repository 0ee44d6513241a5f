"""docs/original.md claims nothing without a test, and no test that is not there."""

import ast
import re

import pytest

from hepto.options import BY_NAME, OPTIONS
from tests.documentation import ROOT

TEXT = (ROOT / "docs/original.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| original |")
]
NOT_THERE = "**not there**"


def functions(path: str) -> set[str]:
    """Names of all tests in a file, those of its classes too."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_table_is_read() -> None:
    assert len(ROWS) >= 25
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0])[:40])
def test_a_row_has_a_test_or_says_that_it_is_not_there(row: tuple[str, str, str]) -> None:
    _, here, shown = row
    tests = re.findall(r"`([^`]+)`", shown)

    assert tests or here == NOT_THERE
    assert not (tests and here == NOT_THERE), "what is not there has no test"
    for test in tests:
        path, _, name = test.partition("::")
        assert name in functions(path), f"there is no {test}"


def test_every_flag_that_is_named_is_one_or_not_there() -> None:
    """Of the original's flags: our table has each, and what it does not honour yet is not claimed."""
    flags = TEXT.partition("## Flags")[2].partition("\n## ")[0]
    names = re.findall(r"^\| `-([a-z-]+)`", flags, re.MULTILINE)

    assert {"cluster", "key", "name", "role", "iface", "ip", "anchor", "data", "info"} <= set(names)
    for row in ROWS:
        for name in re.findall(r"`-([a-z]+)`", row[0]):
            if name in BY_NAME and not BY_NAME[name].available:
                assert NOT_THERE in row[1], name


def test_options_that_are_not_there_are_claimed_nowhere() -> None:
    for option in OPTIONS:
        if not option.available:
            assert f"`{option.key}`" not in TEXT
