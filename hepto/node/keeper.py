"""Keeps `state.json`, and so finds out whether the data disk takes what is written to it.

Each part of the agent hands in what it wants to find again after a reboot. Promises: what was handed in together is
written together; a disk that does not take it is named in the status, with what to do, until it does; nothing waits for
it but the end of the agent. Without news the file is written now and then, and at once when there is no room: nobody
else may notice for hours.
"""

import asyncio
import contextlib
import threading
from dataclasses import replace
from typing import Any

from hepto.edge import files
from hepto.node import state, storage
from hepto.node.board import Board
from hepto.node.identity import STATE
from hepto.node.state import State
from init.contract import durable
from init.contract.status import Reason

PROBLEM = "disk"
LOOK_SECONDS = 5.0
"""Between two looks at the room there is, and between two tries at a disk that takes nothing."""
WRITE_SECONDS = 60.0
SILENT_SECONDS = 30.0


class Keeper:
    """Of the node whose data is in `directory`."""

    def __init__(self, board: Board, directory: str, remembered: State):
        self._board = board
        self._directory = directory
        self._path = f"{directory}/{STATE}"
        self._state = remembered
        self._writing = threading.Lock()

    def keep(self, **parts: Any) -> None:  # names and types are those of State
        """Have these in the next file, which is written soon. Only from the event loop."""
        self._state = replace(self._state, **parts)
        self._board.disk.set()

    async def run(self) -> None:
        """Write whenever there is something new, until cancelled."""
        written = self._board.now()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._board.disk.wait()
            is_due = self._board.now() - written >= WRITE_SECONDS or PROBLEM in self._board.facts.problems
            if is_due or self._board.disk.is_set() or not self._has_room():
                self._board.disk.clear()
                self._judge(await self._written())
                written = self._board.now()

    def _has_room(self) -> bool:
        try:
            return storage.has_room(files.space(self._directory))
        except OSError:
            return False

    def write(self) -> None:
        """Write now, and wait for the disk."""
        self._judge(self._write())

    def _write(self) -> OSError | None:
        with self._writing:
            try:
                durable.write(self._path, state.dump(self._state))
            except OSError as error:
                return error
        return None

    async def _written(self) -> OSError | None:
        writing = asyncio.ensure_future(asyncio.to_thread(self._write))
        done, _ = await asyncio.wait((writing,), timeout=SILENT_SECONDS)
        if not done:
            self._board.problem(PROBLEM, Reason.DATA_DISK, "", *storage.silent(SILENT_SECONDS))
        return await writing

    def _judge(self, error: OSError | None) -> None:
        if error is not None:
            self._board.failed(PROBLEM, error, Reason.DATA_DISK)
        elif PROBLEM in self._board.facts.problems:
            self._board.solved(PROBLEM)
            self._board.work.set()  # others had to stop, too
