"""The log of a program on the node: one plain line an event, on standard error.

    info net: router found address=fe80::1 interface=eth0

PID 1's logger adds the time and keeps the lines. A line is one write of at most 4,096 bytes (PIPE_BUF), so that lines
of several threads or processes never mix in a FIFO. Bytes and secrets are never shown, control characters are escaped,
and logging never raises: a full disk or a closed FIFO must not stop a node.
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping

from hepto.machine import Level, Note

LONGEST_LINE = 4096

_MARK = "…"


class Log:
    """Writes lines for one component."""

    def __init__(
        self,
        component: str,
        *,
        least: Level = Level.INFO,
        write: Callable[[bytes], object] | None = None,
    ):
        self._component = component
        self._least = least
        self._write = write or _to_standard_error

    def error(self, what: str, **fields: object) -> None:
        """Something failed that somebody has to put right."""
        self._put(Level.ERROR, what, fields)

    def warning(self, what: str, **fields: object) -> None:
        """Something is not as it should be; the node goes on."""
        self._put(Level.WARNING, what, fields)

    def info(self, what: str, **fields: object) -> None:
        """A change that an operator wants to find afterwards."""
        self._put(Level.INFO, what, fields)

    def debug(self, what: str, **fields: object) -> None:
        """Only of interest to who changes hepto."""
        self._put(Level.DEBUG, what, fields)

    def note(self, note: Note) -> None:
        """Write what a core had to say."""
        self._put(note.level, note.what, dict(note.fields))

    def _put(self, level: Level, what: str, fields: Mapping[str, object]) -> None:
        if level > self._least:
            return
        data = encode(format_line(level, self._component, what, fields))
        with contextlib.suppress(OSError):
            self._write(data)


def format_line(level: Level, component: str, what: str, fields: Mapping[str, object]) -> str:
    """One line without its end: `LEVEL COMPONENT: WHAT NAME=VALUE …`."""
    words = [f"{level.name.lower()} {component}: {_escape(what)}"]
    words += [f"{name}={_show(value)}" for name, value in fields.items()]
    return " ".join(words)


def encode(line: str) -> bytes:
    """The bytes of `line` with its end, cut visibly to what a FIFO takes in one piece."""
    data = line.encode(errors="backslashreplace")
    if len(data) >= LONGEST_LINE:
        mark = _MARK.encode()
        data = data[: LONGEST_LINE - 1 - len(mark)].decode(errors="ignore").encode() + mark
    return data + b"\n"


def _show(value: object) -> str:
    match value:
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"  # might be a key, and is of no use to a reader anyway
        case tuple() | list() | set() | frozenset():
            text = ",".join(_show(item) for item in value)
        case _:
            text = str(value)
    plain = text and text.isprintable() and not any(character in text for character in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


def _escape(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _to_standard_error(data: bytes) -> None:
    os.write(2, data)
