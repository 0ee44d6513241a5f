"""The agent's own socket: whoever connects is given the status as one JSON object. For root only."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from init.contract import paths

WRITE_SECONDS = 5.0


async def serve(answer: Callable[[], dict[str, Any]], path: str = paths.AGENT_SOCKET) -> None:
    """Serve until cancelled."""

    async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(WRITE_SECONDS):
                writer.write(json.dumps(answer()).encode() + b"\n")
                await writer.drain()
        writer.close()

    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - of the agent before this one
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(respond, path)
    finally:
        os.umask(mask)
    async with server:
        await server.serve_forever()
