"""The verbs of `/run/hepto/init.sock`: SOCK_SEQPACKET, one JSON object a packet, uid 0 only (boot.md section 3).

A request is answered by one packet `{"ok": true, …}` or `{"ok": false, "error": text, "hint": text}`. `status` is a
stream instead: a packet `{"kind": "phase"|"service", "name": …, "status": …}` for each phase and service there is, then
`{"kind": "complete"}`, then such a packet for each change (status null: the service is gone) until the client closes.
"""

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

MAX_PACKET = 64 * 1024


class BadRequestError(ValueError):
    """A packet that is no request. Nothing was changed."""


class Verb(Enum):
    STATUS = "status"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    READY = "ready"  # service: the agent's probe has found it ready; with ready=false: no longer
    MOUNTS = "mounts"  # directory: bind its parts over the fixed paths (paths.WRITABLE), move the logs there
    NOTE = "note"  # text: the one line for the console
    POWEROFF = "poweroff"
    REBOOT = "reboot"
    RE_EXEC = "re-exec"


FIELDS: dict[Verb, dict[str, type]] = {
    Verb.STATUS: {},
    Verb.START: {"service": str},
    Verb.STOP: {"service": str},
    Verb.RESTART: {"service": str},
    Verb.READY: {"service": str, "ready": bool},
    Verb.MOUNTS: {"directory": str},
    Verb.NOTE: {"text": str},
    Verb.POWEROFF: {},
    Verb.REBOOT: {},
    Verb.RE_EXEC: {},
}


@dataclass(frozen=True)
class Request:
    verb: Verb
    arguments: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The packet."""
        return json.dumps({"verb": self.verb.value, **self.arguments}).encode()


def decode(packet: bytes) -> Request:
    """Read a packet. Raises BadRequestError and nothing else, whatever the bytes are."""
    try:
        value = json.loads(packet)
        verb = Verb(value["verb"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadRequestError(
            'not a request: want {"verb": ' + "|".join(verb.value for verb in Verb) + ", …}"
        ) from None
    wanted = FIELDS[verb]
    arguments = {name: item for name, item in value.items() if name != "verb"}
    if arguments.keys() != wanted.keys():
        raise BadRequestError(
            f"{verb.value} takes {', '.join(wanted) or 'no arguments'}, not {', '.join(arguments) or 'none'}"
        )
    for name, kind in wanted.items():
        if not isinstance(arguments[name], kind):
            raise BadRequestError(f"{verb.value}: {name} must be {'true or false' if kind is bool else 'a text'}")
    return Request(verb, arguments)
