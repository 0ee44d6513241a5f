"""The line to PID 1: its status stream, and requests (init.contract.control).

Promises: a lost stream is taken up again, for PID 1 may re-execute itself; a refusal is an OSError with PID 1's words.
"""

from collections.abc import AsyncIterator
from typing import Any

from hepto.edge import packets
from init.contract import paths
from init.contract.control import Request, Verb

ANSWER_SECONDS = 60.0
"""PID 1 never blocks, but `mounts` is answered when its child is done."""


class RefusedError(OSError):
    """PID 1 has refused a request; `hint` says what to do."""

    def __init__(self, verb: Verb, error: str, hint: str = ""):
        super().__init__(f"{verb.value}: {error}")
        self.hint = hint


class Supervisor:
    """PID 1 as the agent sees it."""

    def __init__(self, path: str = paths.INIT_SOCKET):
        self._path = path

    async def ask(self, request: Request) -> dict[str, Any]:
        """One request and its answer. Raises OSError when PID 1 is not there, RefusedError when it refuses."""
        answer = await packets.ask(self._path, request.encode(), ANSWER_SECONDS)
        if not answer.get("ok"):
            raise RefusedError(request.verb, str(answer.get("error", "no answer")), str(answer.get("hint", "")))
        return answer

    async def ready(self, service: str, *, ready: bool) -> None:
        """Tell that a service is ready, or no longer."""
        await self.ask(Request(Verb.READY, {"service": service, "ready": ready}))

    async def mounts(self, directory: str) -> None:
        """Ask for the bind mounts of the node's data directory."""
        await self.ask(Request(Verb.MOUNTS, {"directory": directory}))

    async def note(self, text: str) -> None:
        """The one line for the console."""
        await self.ask(Request(Verb.NOTE, {"text": text}))

    def changes(self) -> AsyncIterator[dict[str, Any]]:
        """The packets of the status stream, for ever; packets.LOST when it begins anew."""
        return packets.stream(self._path, Request(Verb.STATUS).encode())
