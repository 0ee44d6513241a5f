"""Where the agent's parts put what they have found out: the facts, the status that follows, who has to look at it."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hepto.edge import files
from hepto.edge.pump import now
from hepto.errors import UserError
from hepto.log import Log
from hepto.node import status, storage
from hepto.node.course import Course
from hepto.node.facts import Facts, Problem
from init.contract import paths
from init.contract.status import Reason, State

TRIED_AGAIN = "it is tried again"


class Board:
    """One per agent; nothing here blocks."""

    def __init__(self) -> None:
        self.facts = Facts(started=now())
        self.status = status.status(self.facts, now=now())
        self.course = Course(now())
        """How the node has come up; replaced by that of the agent before, if there was one."""
        self.news = asyncio.Event()
        """The status is another one."""
        self.work = asyncio.Event()
        """Something has changed that the plan depends on."""
        self.disk = asyncio.Event()
        """Something is to be kept, or somebody has had trouble with the data disk."""
        self._log = Log("agent")
        self._waiting: set[asyncio.Future[None]] = set()

    @staticmethod
    def now() -> float:
        """The clock of facts and status."""
        return now()

    async def changed(self) -> None:
        """Wait until a fact changes."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    async def service_ready(self, name: str) -> None:
        """Wait until PID 1 says that this service is."""
        while (found := (self.facts.services or {}).get(name)) is None or found.state is not State.READY:
            await self.changed()

    def learn(self, **changes: Any) -> None:  # names and types are those of Facts
        """Take in facts."""
        facts = replace(self.facts, **changes)
        if facts != self.facts:
            self.facts = facts
            self.status = status.status(facts, self.status, now())
            self.course = self.course.follow(self.status, now())
            self.news.set()
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)

    def planned(self, services: Iterable[str]) -> None:
        """The files of these services are written."""
        before = self.facts.planned or {}
        self.learn(planned={**before, **{name: now() for name in services if name not in before}})

    def problem(self, part: str, reason: Reason, subject: str, what: str, hint: str = "") -> None:
        """A part of the agent waits for something."""
        before = self.facts.problems.get(part)
        if before is None or (before.reason, before.subject, before.what) != (reason, subject, what):
            self._log.warning(what, part=part, reason=reason.value)
            found = Problem(reason, subject, now(), what, hint)
            self.learn(problems={**self.facts.problems, part: found})

    def failed(self, part: str, error: UserError | OSError, reason: Reason, subject: str = "") -> None:
        """A step of a part has failed, and is tried again. If the data disk is to blame, that is what is said."""
        root = self.root
        if isinstance(error, UserError):
            self.problem(part, reason, subject, *error.lines())
        elif number := storage.fault(error, root):
            self.disk.set()
            space = None
            with contextlib.suppress(OSError):
                space = files.space(root)
            self.problem(part, Reason.DATA_DISK, "", *storage.explain(number, space))
        else:
            self.problem(part, reason, subject, str(error), TRIED_AGAIN)

    @property
    def root(self) -> str:
        """Where the data disk is mounted."""
        return str(self.facts.config.data) if self.facts.config is not None else paths.DATA

    def solved(self, part: str) -> None:
        """It waits no longer."""
        if part in self.facts.problems:
            self.learn(problems={name: found for name, found in self.facts.problems.items() if name != part})
            self._log.info("solved", part=part)
