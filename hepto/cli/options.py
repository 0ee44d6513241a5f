"""`hepto options`: the table of options, for people, machines and docs/options.md."""

from typing import Any

import click

from hepto.cli.output import print_json, print_table
from hepto.options import AVAILABLE, Option

_HEAD = """\
# Options of a node

Written by `hepto options --markdown > docs/options.md` from `hepto/options.py`; do not edit.

Option NAME is `hepto.NAME=…` on the kernel command line, the credential `hepto.NAME`, the variable `HEPTO_NAME` and the
flag `--NAME` (or `-NAME`). `-` and `_` are the same. Lists are separated by commas. Where values are looked for, and
which of several wins, is in [boot.md](boot.md).

| option | takes | default | meaning |
|---|---|---|---|
"""


@click.command()
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print docs/options.md.")
def command(form: str | None) -> None:
    """Print the options of a node, what they take and what applies if they are not given.

    \b
    Examples:
      hepto options
      hepto options --json
    """
    match form:
        case "json":
            print_json([as_json(option) for option in AVAILABLE])
        case "markdown":
            click.echo(markdown(), nl=False)
        case _:
            rows = [(option.name, option.kind.metavar, option.shown_default, option.help) for option in AVAILABLE]
            print_table(("OPTION", "TAKES", "DEFAULT", "MEANING"), rows)


def as_json(option: Option) -> dict[str, Any]:
    """One row for machines."""
    return {
        "name": option.name,
        "cmdline": option.key,
        "credential": option.key,
        "environment": option.variable,
        "flag": option.flag,
        "takes": option.kind.allowed,
        "choices": list(option.kind.choices),
        "default": option.default,
        "default_text": option.shown_default,
        "help": option.help,
        "example": option.example,
        "secret": option.secret,
    }


def markdown() -> str:
    """docs/options.md."""
    lines = []
    for option in AVAILABLE:
        example = "" if option.secret else f" Example: `{option.key}={option.example}`."
        default = option.shown_default if option.default is None else f"`{option.default}`"
        cells = (f"`{option.name}`", option.kind.allowed, default, option.help + example)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return _HEAD + "".join(lines)
