"""What PID 1 says: one status file per service, and the phases of the boot. Times are seconds on CLOCK_BOOTTIME.

`Reason` is the closed list of things a node can wait for. PID 1, the agent and the commands all use it, so that a
console line, `hepto status` and a test name the same thing by the same word.
"""

import json
import os
import signal
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

VERSION = 1


class Reason(Enum):
    """The one thing that something waits for."""

    ADDRESS = "address"
    ANCHOR = "anchor"
    CARRIER = "carrier"
    CERTIFICATE = "certificate"
    CLOCK = "clock"
    CONFIGURATION = "configuration"
    DATA_DISK = "data disk"
    IMAGE = "image"
    INTERFACE = "interface"
    MASTER = "master"
    NODE = "node object"
    OPERATOR = "operator"
    PHASE = "phase"
    RESOLVER = "resolver"
    ROUTER = "router"
    SERVICE = "service"


class State(Enum):
    """A service's actual state (boot.md section 3)."""

    WAITING = "waiting"
    STARTING = "starting"
    UP = "up"
    READY = "ready"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    DOWN = "down"
    FAILED = "failed"


class PhaseState(Enum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Wait:
    """What is waited for: the reason, its subject (a service, an interface, a disk) and since when."""

    reason: Reason
    subject: str
    since: float
    what: str = ""
    """One sentence that says what is wrong, for a person."""
    hint: str = ""
    """One sentence that says what to do."""

    def line(self, now: float) -> str:
        """The one line that console and commands print."""
        subject = f" {self.subject}" if self.subject else ""
        tail = "".join(
            f": {text}" if index == 0 else f". {text}"
            for index, text in enumerate(filter(None, (self.what, self.hint)))
        )
        return f"waiting for {self.reason.value}{subject}, {max(0, int(now - self.since))} s{tail}"


@dataclass(frozen=True)
class LastExit:
    """How the last process ended: `exit` and code, `signal` and number, or `exec` (a failed start) and errno."""

    kind: str
    value: int
    at: float
    out_of_memory: bool = False
    """The kernel has killed it for want of memory."""

    @property
    def words(self) -> str:
        """For a person."""
        match self.kind:
            case "exit":
                return f"exited with status {self.value}"
            case "signal":
                name = f" ({signal.Signals(self.value).name})" if self.value in set(signal.Signals) else ""
                return f"killed by signal {self.value}{name}{', out of memory' if self.out_of_memory else ''}"
            case _:
                return f"could not be started: {os.strerror(self.value)}"

    @property
    def is_well(self) -> bool:
        """It has done its work."""
        return (self.kind, self.value) == ("exit", 0)

    @property
    def is_kill(self) -> bool:
        """SIGKILL ended it: somebody's `kill -9`, or the kernel's for want of memory."""
        return (self.kind, self.value) == ("signal", signal.SIGKILL)


@dataclass(frozen=True)
class Beginning:
    """How a service came up in this boot: when its file was read, when it was first started and first ready (None: not
    yet), and what its first start waited for (the subject, since when)."""

    known: float
    started: float | None = None
    ready: float | None = None
    waits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ServiceStatus:
    state: State
    since: float
    pid: int | None = None
    starts: int = 0
    last_exit: LastExit | None = None
    waits_for: Wait | None = None
    error: str = ""
    """Why the service file was not taken over, or why the service cannot be started."""
    deaths: int = 0
    """Ends in this boot that nobody had asked for; init.contract.crash has more of each."""
    last_death: LastExit | None = None
    beginning: Beginning | None = None
    version: int = VERSION


@dataclass(frozen=True)
class PhaseStatus:
    name: str
    state: PhaseState = PhaseState.PENDING
    since: float = 0.0
    seconds: float = 0.0
    error: str = ""
    waits_for: Wait | None = None


@dataclass(frozen=True)
class BootStatus:
    """The phases in their order, the boot id, what holds the data (`disk`, `memory`, "" before that is known), and how
    many .py files had to be compiled (anything but 0 is a defect of the image)."""

    phases: tuple[PhaseStatus, ...]
    boot_id: str = ""
    data: str = ""
    compiled: int = 0
    version: int = VERSION

    def phase(self, name: str) -> PhaseStatus | None:
        """The phase of that name, if the boot has it."""
        return next((phase for phase in self.phases if phase.name == name), None)


def span(seconds: float) -> str:
    """How long, in the unit that says most."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"


def dump(value: ServiceStatus | PhaseStatus | BootStatus) -> dict[str, Any]:
    """The value as plain JSON types."""
    plain = asdict(
        value, dict_factory=lambda items: {name: item.value if isinstance(item, Enum) else item for name, item in items}
    )
    return {name: list(item) if isinstance(item, tuple) else item for name, item in plain.items()}


def encode(value: ServiceStatus | BootStatus) -> bytes:
    """The content of a status file."""
    return json.dumps(dump(value), indent=1).encode() + b"\n"


def load_service(value: dict[str, Any]) -> ServiceStatus:
    """The reverse of `dump`. Raises ValueError when it is none (the file is from another version)."""
    try:
        last, wait, death = value.get("last_exit"), value.get("waits_for"), value.get("last_death")
        return ServiceStatus(
            state=State(value["state"]),
            since=float(value["since"]),
            pid=value.get("pid"),
            starts=int(value.get("starts", 0)),
            last_exit=LastExit(**last) if last else None,
            waits_for=_load_wait(wait),
            error=str(value.get("error", "")),
            deaths=int(value.get("deaths", 0)),
            last_death=LastExit(**death) if death else None,
            beginning=_load_beginning(value.get("beginning")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a service status: {error!r}") from None


def load_boot(value: dict[str, Any]) -> BootStatus:
    """The reverse of `dump` for the boot. Raises ValueError."""
    try:
        phases = tuple(
            PhaseStatus(
                name=str(phase["name"]),
                state=PhaseState(phase["state"]),
                since=float(phase["since"]),
                seconds=float(phase["seconds"]),
                error=str(phase["error"]),
                waits_for=_load_wait(phase.get("waits_for")),
            )
            for phase in value["phases"]
        )
        return BootStatus(
            phases, str(value.get("boot_id", "")), str(value.get("data", "")), int(value.get("compiled", 0))
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a boot status: {error!r}") from None


def _load_beginning(value: dict[str, Any] | None) -> Beginning | None:
    if not value:
        return None
    waits = tuple((str(subject), float(since)) for subject, since in value["waits"])
    return Beginning(float(value["known"]), value["started"], value["ready"], waits)


def _load_wait(value: dict[str, Any] | None) -> Wait | None:
    return Wait(**{**value, "reason": Reason(value["reason"])}) if value else None
