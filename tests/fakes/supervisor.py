"""PID 1's control socket as the agent sees it: remembers requests, lets a test stream statuses."""

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any, Self

from init.contract.control import MAX_PACKET, BadRequestError, Request, Verb, decode


class FakeSupervisor:
    """`async with` it; `requests` are what was asked (but for `status`)."""

    def __init__(self, path: str):
        self._path = path
        self.requests: list[Request] = []
        self.refuse: dict[Verb, str] = {}
        self._packets: dict[tuple[str, str], dict[str, Any]] = {}
        self._streams: list[socket.socket] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._socket.bind(self._path)
        self._socket.listen(8)
        self._tasks = {asyncio.create_task(self._accept())}
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in self._streams:
            stream.close()
        self._socket.close()

    async def say(self, kind: str, name: str, status: Mapping[str, Any] | None) -> None:
        """Stream a phase's or service's status."""
        self._packets[kind, name] = {"kind": kind, "name": name, "status": status}
        for stream in self._streams:
            await self._send(stream, self._packets[kind, name])

    async def asked(self, verb: Verb, **arguments: Any) -> Request:
        """Wait for a request with this verb and these arguments."""
        while True:
            for request in self.requests:
                if request.verb is verb and arguments.items() <= request.arguments.items():
                    return request
            self._changed.clear()
            await self._changed.wait()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            line, _ = await loop.sock_accept(self._socket)
            self._tasks.add(asyncio.create_task(self._serve(line)))

    async def _serve(self, line: socket.socket) -> None:
        packet = await asyncio.get_running_loop().sock_recv(line, MAX_PACKET)
        try:
            request = decode(packet)
        except BadRequestError as error:
            await self._send(line, {"ok": False, "error": str(error), "hint": ""})
            line.close()
            return
        if request.verb is Verb.STATUS:
            for item in (*self._packets.values(), {"kind": "complete"}):
                await self._send(line, item)
            self._streams.append(line)
            return
        self.requests.append(request)
        refusal = self.refuse.get(request.verb)
        answer: dict[str, Any] = {"ok": True} if refusal is None else {"ok": False, "error": refusal, "hint": "do this"}
        await self._send(line, answer)
        line.close()
        self._changed.set()

    async def _send(self, line: socket.socket, value: Mapping[str, Any]) -> None:
        await asyncio.get_running_loop().sock_sendall(line, json.dumps(value).encode())
