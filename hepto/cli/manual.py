"""Writes the manual pages and completion scripts that the wheel installs, from the commands themselves.

`python -m hepto.cli.manual` writes them below docs/share, where pyproject.toml takes them from, and
tests/cli/test_manual.py compares. A page a command, as `man hepto-build`; the commands below it are sections of its
page. The macros are those of man(7), everything that is not ASCII is an escape of groff_char(7): formatters read them
alike.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from hepto.cli import completion
from hepto.cli.main import COMMANDS, command_group

SECTION = "1"
SHARE = Path("docs/share")
COMPLETIONS = {
    "bash": "bash-completion/completions/hepto",
    "zsh": "zsh/site-functions/_hepto",
    "fish": "fish/vendor_completions.d/hepto.fish",
}
"""Where each shell looks below a prefix's share/."""
EXIT_CODES = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong use, or wrong configuration"),
    ("3", "not reachable"),
    ("4", "refused"),
)


def files() -> dict[str, str]:
    """Path below share/ and content of every file."""
    group = command_group()
    root = click.Context(group, info_name="hepto", **group.context_settings)
    found = {f"man/man{SECTION}/{name}.{SECTION}": text for name, text in pages(group, root)}
    found |= {path: completion.script(shell) for shell, path in COMPLETIONS.items()}
    return found


def pages(group: click.Group, root: click.Context) -> Iterator[tuple[str, str]]:
    """Name and content of each page."""
    names = [name for name in group.list_commands(root) if not COMMANDS[name].is_program]
    summaries = {name: COMMANDS[name].summary for name in names}
    yield "hepto", _overview(group, root, summaries)
    for name in names:
        command = group.get_command(root, name)
        assert command, "the group lists it"
        context = click.Context(command, info_name=name, parent=root)
        yield f"hepto-{name}", _page(command, context, summaries[name])


def _overview(group: click.Group, root: click.Context, summaries: dict[str, str]) -> str:
    lines = [*_head("hepto", "IPv6-only Kubernetes clusters that need no central service"), *_synopsis(group, root)]
    lines += [".SH DESCRIPTION", *_prose(group.help or ""), ".SH OPTIONS", *_options(group, root), ".SH COMMANDS"]
    for name, summary in summaries.items():
        lines += [".TP", f".BR {escape(f'hepto-{name}')} ({SECTION})", escape(summary)]
    lines += [*_examples(group), ".SH EXIT STATUS"]
    for code, meaning in EXIT_CODES:
        lines += [".TP", f".B {code}", escape(meaning)]
    return "\n".join([*lines, ""])


def _page(command: click.Command, context: click.Context, summary: str) -> str:
    lines = [*_head(f"hepto-{context.info_name}", summary.rstrip(".")), *_synopsis(command, context)]
    lines += [".SH DESCRIPTION", *_prose(command.help or "")]
    options = _options(command, context)
    lines += [".SH OPTIONS", *options] if options else []
    below = list(_below(command, context))
    lines += [".SH COMMANDS"] if below else []
    for found, inner in below:
        lines += [".SS " + quoted(inner.command_path), *_usage(found, inner), *_prose(found.help or "")]
        lines += [*_options(found, inner), *_examples(found, heading=".PP\nExamples:")]
    lines += [*_examples(command), ".SH SEE ALSO", f".BR hepto ({SECTION})"]
    return "\n".join([*lines, ""])


def _below(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """All commands below, each with its context, in the order in which help shows them."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found, "the group lists it"
        inner = click.Context(found, info_name=name, parent=context)
        if not isinstance(found, click.Group):
            yield found, inner
        yield from _below(found, inner)


def _head(name: str, summary: str) -> list[str]:
    # No date: two builds of one commit are to be the same.
    title = f'.TH {quoted(name.upper())} {SECTION} "" "hepto" "User Commands"'
    return [title, ".SH NAME", f"{escape(name)} \\- {escape(summary)}"]


def _synopsis(command: click.Command, context: click.Context) -> list[str]:
    return [".SH SYNOPSIS", *_usage(command, context)]


def _usage(command: click.Command, context: click.Context) -> list[str]:
    words = " ".join(command.collect_usage_pieces(context))
    return [f".B {escape(context.command_path)}", escape(words), ".PP"]


def _options(command: click.Command, context: click.Context) -> list[str]:
    lines = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            names = record[0]
            if parameter.name == "help":  # click has the names of this one in a set, whose order is another each time
                names = ", ".join(sorted(names.split(", "), key=len))
            lines += [".TP", f".B {escape(names)}", escape(" ".join(record[1].split()))]
    return lines


def _prose(help_text: str) -> list[str]:
    """The paragraphs; what click is told not to wrap (`\\b`) stays as it is. Examples have a section of their own."""
    lines = []
    for paragraph in _paragraphs(help_text):
        if paragraph.startswith("\b\nExamples:"):
            continue
        if paragraph.startswith("\b"):
            lines += [".PP", ".nf", *(escape(line) for line in paragraph.splitlines()[1:]), ".fi"]
        else:
            lines += [".PP", escape(" ".join(paragraph.split()))]
    return lines[1:] if lines[:1] == [".PP"] else lines


def _examples(command: click.Command, heading: str = ".SH EXAMPLES") -> list[str]:
    both = f"{command.help or ''}\n\n{command.epilog or ''}"
    found = [text for text in _paragraphs(both) if text.startswith("\b\nExamples:")]
    lines = [line.strip() for text in found for line in text.splitlines()[2:]]
    return [*heading.splitlines(), ".nf", *(escape(line) for line in lines), ".fi"] if lines else []


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n ") for part in re.split(r"\n\s*\n", inspect.cleandoc(text)) if part.strip("\n ")]


def quoted(text: str) -> str:
    """An argument of a macro."""
    return '"' + escape(text).replace('"', "\\(dq") + '"'


def escape(text: str) -> str:
    """Text as man(7) wants it: no character is a command, minus signs stay what one types."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    text = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main(share: Path = SHARE) -> None:
    """Write all files below `share`."""
    for name, content in files().items():
        path = share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
