"""Shows the steps of a long command and how long each took.

Promises: on a terminal a spinner with the current step and its detail (plain when NO_COLOR is set), else plain lines;
everything goes to standard error, so that standard output stays for results. Must not decide anything.
"""

import contextlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.status import Status


QUIET_SECONDS = 30.0


@dataclass(frozen=True)
class Step:
    """A step that ended well."""

    name: str
    seconds: float


class Progress:
    """`with progress.step("Install packages"):` around each piece of work; `progress.detail("…")` inside it."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        given = os.environ if environment is None else environment
        self._colour = not given.get("NO_COLOR")
        # A node has no rich.
        has_rich = importlib.util.find_spec("rich") is not None
        self._live = has_rich and self._stream.isatty() and given.get("TERM", "dumb") != "dumb"
        self._status: Status | None = None
        self._name = ""
        self._spoke = 0.0
        self.steps: list[Step] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times the block under this name; steps do not nest."""
        started = self._clock()
        self._name = name
        try:
            with self._shown(name):
                yield
        except BaseException:
            self._line("failed", name, started)
            raise
        self.steps.append(Step(name, self._clock() - started))
        self._line("done", name, started)

    def detail(self, text: str) -> None:
        """What the step is at right now: at once on a terminal, now and then in a log, so that it is seen to live."""
        if self._status is not None:
            self._status.update(f"{self._name}: {text}")
        elif self._clock() - self._spoke >= QUIET_SECONDS:
            self._say(f"{self._name} ... {text}")

    def _say(self, text: str) -> None:
        self._spoke = self._clock()
        print(text, file=self._stream, flush=True)

    def note(self, text: str) -> None:
        """A line that stays."""
        print(text, file=self._stream, flush=True)

    @property
    def seconds(self) -> float:
        """The sum of all steps."""
        return sum(step.seconds for step in self.steps)

    @contextlib.contextmanager
    def _shown(self, name: str) -> Iterator[None]:
        if not self._live:
            self._say(f"{name} ...")
            yield
            return
        # rich takes 0.1 s to import: only a person who watches pays for it.
        from rich.console import Console

        console = Console(file=self._stream, no_color=not self._colour, highlight=False, markup=False)
        self._status = console.status(name)
        try:
            with self._status:
                yield
        finally:
            self._status = None

    def _line(self, result: str, name: str, started: float) -> None:
        mark = (
            {"done": "\x1b[32m✓\x1b[0m", "failed": "\x1b[31m✗\x1b[0m"}[result]
            if self._live and self._colour
            else result
        )
        print(f"{mark} {name} ({self._clock() - started:.1f} s)", file=self._stream, flush=True)
