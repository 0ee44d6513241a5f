"""Prints results: tables for people, JSON for machines.

The tables are plain columns, the same on a node (where rich is not installed) as on an operator's machine; on a
terminal they are wrapped to its width and the headers stand out, unless NO_COLOR is set. Standard error stays free.
"""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

import click

_GAP = "  "
_NARROWEST = 8


def as_json(value: object) -> str:
    """One JSON value, readable."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def print_json(value: object) -> None:
    """The same on standard output."""
    click.echo(as_json(value))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the line of headers is left out if all are empty."""
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    has_headers = any(headers)
    lines = columns([headers, *rows] if has_headers else rows, width)
    for index, line in enumerate(lines):
        stands_out = index == 0 and has_headers and is_terminal and not os.environ.get("NO_COLOR")
        click.echo(click.style(line, bold=True) if stands_out else line)


def columns(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """The lines of a table; with a width the cells of the widest columns are wrapped until it fits."""
    if not rows:
        return []
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    if width is not None:
        widths = _fit(widths, width - len(_GAP) * (len(widths) - 1))
    lines = []
    for row in rows:
        cells = [_wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
        lines += [
            _GAP.join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
            for parts in zip_longest(*cells, fillvalue="")
        ]
    return lines


def _wrap(cell: str, width: int) -> list[str]:
    # A cell that fits stays as it is: white space at its beginning shows what belongs to what.
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width)


def _fit(widths: list[int], room: int) -> list[int]:
    """Narrower columns: what is missing is taken from the widest."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths
