"""The record of a boot: what it said, and how it ended.

The logger writes the record of this boot while it runs, and at its end how it ends; at the next boot's beginning it
becomes the record of the boot before. A record that does not say how it ended is of one that nobody shut down.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
MAX_BYTES = 1 << 20
BELOW_NODE, BEFORE_BELOW_NODE = "log/boot.json", "log/boot-before.json"
UNKNOWN = "it was not shut down: a power cut, a reset or a crash of the kernel"
WATCHDOG = "the watchdog has reset the machine"
POWEROFF = "poweroff"


@dataclass(frozen=True)
class Record:
    """One boot. Times of day are seconds since 1970, as far as the machine knew them."""

    boot_id: str
    began: float
    written: float
    """How long it had been up when this was written, in seconds."""
    ended: str = ""
    """`poweroff` or `reboot` if it came to the end of a shutdown; else "" ."""
    watchdog: bool = False
    """At the next boot the machine said that its watchdog had reset it."""
    last: float | None = None
    """When something was logged last, as the next boot has found it."""
    said: dict[str, Any] = field(default_factory=dict)
    """What PID 1 and the agent said of it: `phases`, `services`, `course`, each as in `hepto status --json`."""

    @property
    def is_orderly(self) -> bool:
        """It ended as somebody wanted. There are machines that reboot by their watchdog, but none is turned off so."""
        return bool(self.ended) and not (self.watchdog and self.ended == POWEROFF)

    @property
    def end(self) -> str:
        """For a person: how it ended."""
        if self.is_orderly:
            return f"it was ended by a {self.ended}"
        return f"{WATCHDOG}{f' during a {self.ended}' if self.ended else ''}" if self.watchdog else UNKNOWN


def encode(record: Record) -> bytes:
    """The content of a file."""
    return json.dumps({"version": VERSION, **asdict(record)}, indent=1, ensure_ascii=False).encode() + b"\n"


def decode(data: bytes) -> Record:
    """The reverse. Raises ValueError when it is none."""
    value = json.loads(data)
    try:
        return Record(
            boot_id=str(value["boot_id"]),
            began=float(value["began"]),
            written=float(value["written"]),
            ended=str(value["ended"]),
            watchdog=bool(value["watchdog"]),
            last=None if value["last"] is None else float(value["last"]),
            said=dict(value["said"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the record of a boot: {error!r}") from None
