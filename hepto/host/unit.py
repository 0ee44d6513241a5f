"""A unit of systemd that runs a node, as text."""

from collections.abc import Sequence
from pathlib import Path

from hepto.errors import ExitCode, UserError

STOP_SECONDS = 180
UNIT = """\
# {path}: a node of hepto. Written by “hepto start --systemd-unit”.
[Unit]
Description=hepto node {name}
Wants=network-online.target
After=network-online.target

[Service]
WorkingDirectory={directory}
ExecStart={command}
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec={stop}

[Install]
WantedBy=multi-user.target
"""
OURS = ("--systemd-unit", "-systemd-unit", "--detach")


def text(name: str, program: Sequence[str], words: Sequence[str], directory: Path) -> str:
    """The unit that starts the node with these words as if in `directory`; @FILE is absolute in it, to be read.

    Raises UserError for what a unit cannot have: standard input.
    """
    arguments = [_absolute(word, directory) for word in words if word not in OURS]
    if "-" in arguments:
        raise UserError(
            "a unit has no standard input to read a secret from",
            "write it to a file that only root can read, and name that: --key @FILE",
            ExitCode.USAGE,
        )
    command = " ".join(quote(word) for word in (*program, "start", *arguments))
    path = f"/etc/systemd/system/hepto-{name}.service"
    return UNIT.format(path=path, name=name, command=command, directory=directory, stop=STOP_SECONDS)


def _absolute(word: str, directory: Path) -> str:
    flag, equals, value = word.rpartition("=") if word.startswith("-") else ("", "", word)
    return f"{flag}{equals}@{directory / value[1:]}" if value.startswith("@") else word


def quote(word: str) -> str:
    """As systemd.service(5) reads a command line: `%` and `$` mean something in it."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = text == word and text and not any(character in " \t'\";" for character in text)
    return text if plain else f'"{text}"'
