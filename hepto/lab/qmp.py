"""QEMU's machine protocol, as far as the lab needs it: commands and events as JSON lines (qemu
docs/interop/qmp-spec.rst).

Pure. `Parser` turns bytes into messages; anything that is no JSON line raises PeerError (QEMU is not ours, so it is a
peer).
"""

import json
from dataclasses import dataclass
from typing import Any, assert_never

from hepto.errors import PeerError

MAX_LINE = 1024 * 1024


@dataclass(frozen=True)
class Greeting:
    """QEMU is there; it wants `qmp_capabilities` before anything else."""

    version: str


@dataclass(frozen=True)
class Event:
    name: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    id: int | None
    value: Any
    error: str = ""


Message = Greeting | Event | Reply


def command(name: str, identity: int, /, **arguments: Any) -> bytes:
    """One command as a line."""
    message: dict[str, Any] = {"execute": name, "id": identity}
    if arguments:
        message["arguments"] = arguments
    return json.dumps(message).encode() + b"\n"


class Parser:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take `data` and return the messages that are complete now. Raises PeerError."""
        self._buffer += data
        *lines, rest = bytes(self._buffer).split(b"\n")
        if len(rest) > MAX_LINE:
            raise PeerError("qmp-line-too-long")
        self._buffer = bytearray(rest)
        return [_message(line) for line in lines if line.strip()]


def _message(line: bytes) -> Message:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise PeerError("qmp-not-json", repr(line[:60])) from None
    match value:
        case {"QMP": {"version": {"qemu": {"major": major, "minor": minor}}}}:
            return Greeting(f"{major}.{minor}")
        case {"event": str(name)}:
            data = value.get("data")
            return Event(name, data if isinstance(data, dict) else {})
        case {"return": result}:
            return Reply(value.get("id"), result)
        case {"error": {"desc": str(text)}}:
            return Reply(value.get("id"), None, text)
        case _:
            raise PeerError("qmp-unknown-message", repr(line[:60]))


def describe(event: Event, port: str) -> "PowerChange | PortChange | None":
    """What an event means for the lab; None for those that mean nothing. `port` is the channel's device id."""
    match event.name:
        case "SHUTDOWN":
            return PowerChange("off", str(event.data.get("reason", "")))
        case "RESET":
            return PowerChange("reset", str(event.data.get("reason", "")))
        case "POWERDOWN":
            return PowerChange("button", "")
        case "VSERPORT_CHANGE" if event.data.get("id") == port:
            return PortChange(bool(event.data.get("open")))
        case _:
            return None


@dataclass(frozen=True)
class PowerChange:
    """`off` (the machine has ended), `reset` (it begins anew) or `button` (it was asked to shut down)."""

    what: str
    reason: str


@dataclass(frozen=True)
class PortChange:
    """The guest has opened or closed the lab channel."""

    open: bool


def line(change: PowerChange | PortChange) -> str:
    """One line for people."""
    match change:
        case PowerChange(what, reason):
            return f"power {what}" + (f" ({reason})" if reason else "")
        case PortChange(open):
            return "lab channel opened" if open else "lab channel closed"
        case _:
            assert_never(change)
