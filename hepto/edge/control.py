"""Requests to PID 1 from a command: one packet there, one back (init.contract.control). Blocking."""

import socket
from typing import Any

from hepto.edge.packets import read
from hepto.errors import ExitCode, UserError
from init.contract import paths
from init.contract.control import MAX_PACKET, Request

ANSWER_SECONDS = 30.0


def ask(request: Request, path: str = paths.INIT_SOCKET) -> dict[str, Any]:
    """The answer. Raises UserError when PID 1 is not there or refuses."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as line:
            line.settimeout(ANSWER_SECONDS)
            line.connect(path)
            line.send(request.encode())
            answer = read(line.recv(MAX_PACKET))
    except OSError as error:
        raise UserError(
            f"PID 1 does not answer on {path}: {error.strerror or error}",
            "run this as root on a node of hepto",
            ExitCode.UNREACHABLE,
        ) from None
    if not answer.get("ok"):
        what = str(answer.get("error") or "PID 1 closed the connection without an answer")
        raise UserError(what, str(answer.get("hint") or "“hepto service list” shows what there is"))
    return answer
