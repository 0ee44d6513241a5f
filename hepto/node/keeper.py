"""Keeps `state.json`: each part of the agent hands in what it wants to find again after a reboot.

Promises: what was handed in together is written together; a disk that does not take it is told of, and ends nothing.
"""

import asyncio
import threading
from dataclasses import replace
from typing import Any

from hepto.log import Log
from hepto.node import state
from hepto.node.identity import STATE
from hepto.node.state import State
from init.contract import durable


class Keeper:
    """Of the node whose data is in `directory`."""

    def __init__(self, directory: str, remembered: State):
        self._path = f"{directory}/{STATE}"
        self._state = remembered
        self._news = asyncio.Event()
        self._writing = threading.Lock()
        self._log = Log("agent")

    def keep(self, **parts: Any) -> None:  # names and types are those of State
        """Have these in the next file, which is written soon. Only from the event loop."""
        self._state = replace(self._state, **parts)
        self._news.set()

    async def run(self) -> None:
        """Write whenever there is something new, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write now, and wait for the disk."""
        with self._writing:
            try:
                durable.write(self._path, state.dump(self._state))
            except OSError as error:
                self._log.warning("state not saved", error=error)
