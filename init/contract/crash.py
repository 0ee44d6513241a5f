"""A crash report: what is known of one unexpected end of a service. Times are in seconds.

PID 1 writes it without the last lines below `paths.DEATHS`, where it cannot wait for a disk; the logger, which has the
lines, keeps it with them below the node's directory, or below `paths.CRASHES` as long as that is not known. All are
files `SERVICE.NUMBER.BOOT_ID.json`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from init.contract.status import LastExit, span

VERSION = 1
BELOW_NODE = "log/crashes"
MAX_BYTES = 256 * 1024
MARK = "hepto: died "
"""Begins the line that PID 1 writes into a service's log where it has died; what came before it is the last it said."""


@dataclass(frozen=True)
class Crash:
    """How a service ended that nobody had asked to end."""

    service: str
    number: int
    """The first, second … death of this service in this boot."""
    boot_id: str
    wall: float
    """Time of day, as far as the machine knew it."""
    exit: LastExit
    up: float
    """How long it had been running."""
    error: str = ""
    """Why it could not be started, if that is what happened."""
    memory_peak: int | None = None
    """The most bytes that its control group had in use in this life; None where the kernel does not say."""
    retry: float | None = None
    """Seconds until it is started again; None: it is not."""
    console: str = ""
    """What the console is to say: nothing, FIRST or AGAIN."""
    lines: tuple[str, ...] = ()
    """The last that it wrote in this life."""

    @property
    def cause(self) -> str:
        """For a person: how it ended."""
        return f"could not be started: {self.error}" if self.error else self.exit.words

    @property
    def lived(self) -> str:
        """For a person: how long it had been running."""
        return f"{self.up:.1f} s" if self.up < 10 else span(self.up)

    @property
    def mark(self) -> str:
        """The line in its log; the number makes it one of a kind."""
        return f"{MARK}({self.number}): {self.cause}"


FIRST, AGAIN = "first", "again"


def encode(crash: Crash) -> bytes:
    """The content of a file."""
    return json.dumps({"version": VERSION, **asdict(crash)}, indent=1, ensure_ascii=False).encode() + b"\n"


def load(value: dict[str, Any]) -> Crash:
    """The reverse of what JSON makes of a crash. Raises ValueError when it is none."""
    try:
        return Crash(
            service=str(value["service"]),
            number=int(value["number"]),
            boot_id=str(value["boot_id"]),
            wall=float(value["wall"]),
            exit=LastExit(**value["exit"]),
            up=float(value["up"]),
            error=str(value["error"]),
            memory_peak=None if value["memory_peak"] is None else int(value["memory_peak"]),
            retry=None if value["retry"] is None else float(value["retry"]),
            console=str(value["console"]),
            lines=tuple(map(str, value["lines"])),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a crash report: {error!r}") from None


def decode(data: bytes) -> Crash:
    """A file's content. Raises ValueError."""
    return load(json.loads(data))


def file_name(crash: Crash) -> str:
    """Another one for each death."""
    return f"{crash.service}.{crash.number}.{crash.boot_id}.json"
