"""The options of a node as flags of a command, made from the table: `--NAME`, and `-NAME` as the original Hepto has it.

Nothing is judged here; values go to `hepto.config.resolve` as they are. Secrets are taken from files or standard input
only, for every user of a machine can read the arguments of its programs.
"""

import functools
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from hepto.errors import ExitCode, UserError
from hepto.given import Given, Source, SourceKind
from hepto.options import AVAILABLE, BY_NAME, Option, normalise
from hepto.sources import parse_environment

Command = Callable[..., Any]
"""A click callback; Any, as click itself types them: its parameters are those of its decorators."""

_SOURCE = Source(SourceKind.FLAG)
_PARAMETER = "option_"


class Flag(click.Option):
    """One row of the table."""

    def __init__(self, _declarations: Sequence[str] = (), *, row: Option, more: Sequence[str] = ()):
        self.option = option = row
        self.more = tuple(more)
        super().__init__(
            [option.flag, f"-{option.name}", _PARAMETER + option.attribute],
            metavar=None if option.kind.is_switch else ("@FILE|-" if option.secret else option.kind.metavar),
            help=f"{option.help}{_explained(self.more)} [default: {option.shown_default}]",
            multiple=not option.kind.is_switch,
            is_flag=option.kind.is_switch,
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """One spelling is enough to read."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(f", -{self.option.name}", ""), record[1])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The values that the table knows; of a list the last one is completed."""
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(before + comma + value)
            for value in (*self.option.kind.choices, *self.more)
            if value.startswith(last)
        ] or super().shell_complete(ctx, incomplete)


def _explained(more: Sequence[str]) -> str:
    return f" {' or '.join(more)}: print ready values for it." if more else ""


def option_flags(
    *, without: Collection[str] = (), more: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Callable[[Command], Command]:
    """Add a flag for every option that this version can honour; the command gets `givens`, a list of Given.

    `more` are further words that this command understands as an option's value, by the option's name.
    """
    rows = [option for option in AVAILABLE if option.name not in without]

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            found = {option: kwargs.pop(_PARAMETER + option.attribute) for option in rows}
            return function(*args, givens=collect(found), **kwargs)

        result: Command = wrapper
        for option in reversed(rows):
            result = click.option(cls=Flag, row=option, more=more.get(option.name, ()))(result)
        return result

    return decorate


def collect(found: dict[Option, Any]) -> list[Given]:
    """What was given, from what click parsed."""
    givens = []
    for option, value in found.items():
        if option.kind.is_switch:
            givens += [Given(option.name, None, _SOURCE)] if value else []
            continue
        for text in value:
            givens.append(
                secret_given(option, text) if option.secret else Given(option.name, os.fsencode(text), _SOURCE)
            )
    return givens


def environment_givens(environment: Mapping[str, str] = os.environ) -> list[Given]:
    """What the environment gives. A secret may be in a file there, too: `HEPTO_KEY=@FILE`."""
    givens = []
    for given in parse_environment(environment):
        option = BY_NAME.get(normalise(given.name))
        if option and option.secret and given.value and given.value.startswith(b"@"):
            givens.append(_file_given(option, os.fsdecode(given.value[1:]), given.source))
        else:
            givens.append(given)
    return givens


def secret_given(option: Option, text: str) -> Given:
    """The secret that a flag names; what cannot be read is a defect, to be reported with all other mistakes."""
    if text == "-":
        return Given(option.name, sys.stdin.buffer.read().removesuffix(b"\n"), _SOURCE)
    if text.startswith("@"):
        return _file_given(option, text[1:], _SOURCE)
    what = "it takes @FILE, or - for standard input: the arguments of a program are no secret"
    make = "hepto key --output FILE" if option.name == "key" else f"write it to a file ({option.kind.allowed})"
    return Given(option.name, None, _SOURCE, (what, f"{make}, then {option.flag} @FILE"))


def read_secret(option: Option, text: str) -> bytes:
    """The secret that a flag names, for a command that has no other mistakes to report. Raises UserError."""
    given = secret_given(option, text)
    if given.defect:
        what, hint = given.defect
        raise UserError(f"{option.flag}: {what}", hint, ExitCode.USAGE)
    assert given.value is not None, "it has a value or a defect"
    return given.value


def _file_given(option: Option, name: str, source: Source) -> Given:
    try:
        return Given(option.name, Path(name).read_bytes().removesuffix(b"\n"), source)
    except OSError as error:
        return Given(option.name, None, source, (f"{name}: {error.strerror}", "name a file that can be read"))
