"""Unix sockets of kind SOCK_SEQPACKET with one JSON object a packet, as a client under asyncio."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

from init.contract.control import MAX_PACKET

RETRY_SECONDS = 0.2
LOST: dict[str, Any] = {"kind": "lost"}
"""What `stream` gives when the line broke and it starts anew."""


async def ask(path: str, packet: bytes, seconds: float) -> dict[str, Any]:
    """One packet there, one back. Raises OSError (TimeoutError is one)."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        with await _connect(path) as line:
            await loop.sock_sendall(line, packet)
            return read(await loop.sock_recv(line, MAX_PACKET))


async def stream(path: str, packet: bytes) -> AsyncIterator[dict[str, Any]]:
    """Send `packet` and give every packet that comes, for ever: a broken line is made again."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(OSError):
            with await _connect(path) as line:
                await loop.sock_sendall(line, packet)
                while answer := await loop.sock_recv(line, MAX_PACKET):
                    yield read(answer)
        yield LOST
        await asyncio.sleep(RETRY_SECONDS)


async def _connect(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        await asyncio.get_running_loop().sock_connect(line, path)
    except BaseException:
        line.close()
        raise
    return line


def read(packet: bytes) -> dict[str, Any]:
    """The object in a packet; an empty one when there is none."""
    try:
        value = json.loads(packet)
    except (ValueError, RecursionError):
        value = {}
    return value if isinstance(value, dict) else {}
