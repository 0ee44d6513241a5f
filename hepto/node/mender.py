"""Brings back a data disk whose file system the kernel has given up: when the device answers again, by a reboot.

ext4 writes no more once its journal could not be written, and nothing but unmounting and a check ends that. All that
runs on a node holds that file system, so what is left is to boot, which checks it. Gossip and mesh go on until then.
"""

import asyncio
import contextlib
from typing import Final

from hepto.edge import blockdevice
from hepto.edge.pump import pause
from hepto.log import Log
from hepto.node import storage
from hepto.node.board import Board
from hepto.node.keeper import PROBLEM
from hepto.node.supervisor import Supervisor
from init.contract.control import Request, Verb

LOOK_SECONDS = 5.0
SAID: Final = "the data disk answers again: rebooting, to have its file system checked"


class Device:
    """What the data disk is on. Its calls may block."""

    def __init__(self, path: str):
        """The device below `path`, a directory of the file system. Raises OSError."""
        self._name = blockdevice.device_of(path)

    def has_failed(self) -> bool:
        """True if the kernel has met errors in the file system."""
        return self._name is not None and blockdevice.errors(self._name) > 0

    def answers(self) -> bool:
        """True if it reads and writes."""
        return self._name is not None and blockdevice.answers(self._name)


class Mender:
    """Of one node. Nothing is done as long as the keeper can write."""

    def __init__(self, board: Board, device: Device, supervisor: Supervisor):
        self._board = board
        self._device = device
        self._supervisor = supervisor
        self._log = Log("disk")

    async def run(self) -> None:
        """Until cancelled, which the reboot does."""
        answers: float | None = None
        while True:
            await pause(LOOK_SECONDS)
            problem = self._board.facts.problems.get(PROBLEM)
            if problem is None or not await asyncio.to_thread(self._answers):
                answers = None
                continue
            now = self._board.now()
            answers = now if answers is None else answers
            if storage.may_reboot(trouble=problem.since, answers=answers, now=now):
                await self._reboot()

    def _answers(self) -> bool:
        return self._device.has_failed() and self._device.answers()

    async def _reboot(self) -> None:
        self._log.warning(SAID)
        with contextlib.suppress(OSError):
            await self._supervisor.note(SAID)
        try:
            await self._supervisor.ask(Request(Verb.REBOOT))
        except OSError as error:
            self._log.warning("the reboot is refused", error=error)
