"""The service file: what the agent wants PID 1 to run (`/run/hepto/services/NAME.json`, boot.md section 3).

`parse` takes any bytes and gives a Service or raises BadServiceError with all mistakes; `Service.dump` writes what it
reads. The specification is frozen and comparable: two equal ones ask for nothing.
"""

import json
import re
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import Any

VERSION = 1
MAX_BYTES = 256 * 1024
MAX_MISTAKE = 200
"""Characters of one mistake that are shown: what is wrong may be as long as the file."""
MAX_WEIGHT = 10000
"""Of cpu.weight (cgroup-v2.rst)."""
NAME = re.compile(r"[a-z0-9-]{1,32}")


class BadServiceError(ValueError):
    """A service file that asks for something unknown or impossible; `mistakes` names each. Nothing was changed."""

    def __init__(self, mistakes: list[str]):
        self.mistakes = tuple(_shown(mistake) for mistake in mistakes)
        super().__init__("; ".join(self.mistakes))


class Type(Enum):
    DAEMON = "daemon"
    ONESHOT = "oneshot"


class ReadyKind(Enum):
    """How a service is known to be ready.

    `none` when started, `exit` when it ended with 0, `file` when target exists, `unix` when the socket target accepts,
    `notify` by READY=1 (sd_notify(3)), `agent` when the agent says so.
    """

    NONE = "none"
    EXIT = "exit"
    FILE = "file"
    UNIX = "unix"
    NOTIFY = "notify"
    AGENT = "agent"


class Scope(Enum):
    """What a stop ends: the main process, or everything in the service's control group."""

    PROCESS = "process"
    CGROUP = "cgroup"


class When(Enum):
    ALWAYS = "always"
    FAILURE = "failure"
    NEVER = "never"


class Wanted(Enum):
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Ready:
    kind: ReadyKind = ReadyKind.NONE
    target: str = ""
    timeout: float = 120.0
    """Seconds until the status says that readiness is overdue. The service is not killed for it."""


@dataclass(frozen=True)
class Stop:
    signal: str = "SIGTERM"
    """A name of signal(7), as Python has them."""
    timeout: float = 10.0
    """Seconds from the signal to SIGKILL."""
    scope: Scope = Scope.CGROUP


@dataclass(frozen=True)
class Restart:
    when: When = When.ALWAYS
    step: float = 0.1
    """Seconds before the second restart; the first comes at once. Doubles up to `cap`."""
    cap: float = 30.0
    reset: float = 10.0
    """After so many seconds up, the next restart comes at once again."""


@dataclass(frozen=True)
class Limits:
    """Control group limits (cgroup-v2.rst: bytes, processes, weight 1 to 10000) and RLIMIT_NOFILE, none of them 0 or
    less; None: the kernel's default."""

    memory_min: int | None = None
    memory_high: int | None = None
    memory_max: int | None = None
    pids_max: int | None = None
    cpu_weight: int | None = None
    nofile: int | None = None


@dataclass(frozen=True)
class Service:
    argv: tuple[str, ...]
    type: Type = Type.DAEMON
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    user: str = ""
    """A name of /etc/passwd; empty is root."""
    groups: tuple[str, ...] = ()
    capabilities: tuple[str, ...] | None = None
    """Capabilities kept, as CAP_…; None keeps all."""
    after: tuple[str, ...] = ()
    ready: Ready = Ready()
    stop: Stop = Stop()
    restart: Restart = Restart()
    limits: Limits = Limits()
    oom_score_adj: int = 0
    wanted: Wanted = Wanted.UP
    restart_key: str = ""
    """Any change of this string restarts the service: a digest of files that it reads only once."""
    version: int = VERSION

    def dump(self) -> bytes:
        """The service file's content."""
        return json.dumps(_plain(asdict(self)), indent=1, sort_keys=True).encode() + b"\n"

    def restarts(self, other: "Service") -> bool:
        """True if going from self to other needs a new process (boot.md section 3)."""

        def identity(service: "Service") -> tuple[object, ...]:
            return (
                service.type,
                service.argv,
                dict(service.env),
                service.cwd,
                service.user,
                service.groups,
                service.capabilities,
                service.limits.nofile,
                service.restart_key,
            )

        return identity(self) != identity(other)


def valid_name(name: str) -> bool:
    """True for `[a-z0-9-]{1,32}`."""
    return NAME.fullmatch(name) is not None


def parse(data: bytes) -> Service:
    """Read a service file. Raises BadServiceError with all mistakes; never anything else, whatever the bytes are."""
    if not data:
        raise BadServiceError(["empty, or no file that can be read"])
    if len(data) > MAX_BYTES:
        raise BadServiceError([f"larger than {MAX_BYTES} bytes"])
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadServiceError([f"not JSON: {error}"]) from None
    if not isinstance(value, dict):
        raise BadServiceError(["not a JSON object"])
    mistakes: list[str] = []
    service: Service | None = _object(Service, value, "", mistakes)
    if not mistakes and service is not None:
        _check(service, mistakes)
    if mistakes or service is None:
        raise BadServiceError(mistakes)
    return service


def _check(service: Service, mistakes: list[str]) -> None:
    if service.version != VERSION:
        mistakes.append(f"version {service.version} is not {VERSION}")
    if not service.argv or not service.argv[0].startswith("/"):
        mistakes.append("argv: must begin with an absolute path")
    if service.type is Type.DAEMON and service.ready.kind is ReadyKind.EXIT:
        mistakes.append("ready.kind: exit is only for a oneshot")
    if service.ready.kind in (ReadyKind.FILE, ReadyKind.UNIX) and not service.ready.target.startswith("/"):
        mistakes.append("ready.target: must be an absolute path")
    if service.stop.signal not in signal.Signals.__members__:
        mistakes.append(f"stop.signal: {service.stop.signal!r} is no signal name")
    if not -1000 <= service.oom_score_adj <= 1000:
        mistakes.append("oom_score_adj: must be from -1000 to 1000")
    mistakes.extend(f"after: {name!r} is no service name" for name in service.after if not valid_name(name))
    texts = (
        *(*service.argv, service.cwd, service.ready.target, *service.env, *service.env.values()),
        *(service.user, *service.groups, *(service.capabilities or ())),
    )
    if any("\0" in text for text in texts):
        mistakes.append("a NUL character in argv, cwd, env, user, groups, capabilities or ready.target")
    if not all(_is_unicode(text) for text in texts):
        mistakes.append("half a character (a lone surrogate) in a text")
    if any(not name or "=" in name for name in service.env):
        mistakes.append("env: an empty name or one with '='")
    limits = {item.name: getattr(service.limits, item.name) for item in fields(Limits)}
    mistakes.extend(
        f"limits.{name}: must be 1 or more" for name, value in limits.items() if value is not None and value < 1
    )
    if (service.limits.cpu_weight or 1) > MAX_WEIGHT:
        mistakes.append(f"limits.cpu_weight: must be from 1 to {MAX_WEIGHT}")
    positive = (
        service.ready.timeout,
        service.stop.timeout,
        service.restart.step,
        service.restart.cap,
        service.restart.reset,
    )
    if not all(0 < seconds <= 86400 for seconds in positive):
        mistakes.append("a time of ready, stop or restart is not within a day")


def _object(cls: type[Any], value: dict[str, Any], where: str, mistakes: list[str]) -> Any:
    """Build dataclass `cls` from `value`, checking names and types. None after a mistake."""
    known = {item.name: item for item in fields(cls)}
    mistakes.extend(f"{where}{name}: unknown field" for name in value if name not in known)
    before = len(mistakes)
    arguments = {}
    for name in known.keys() & value.keys():
        arguments[name] = _value(
            str(known[name].type) if not isinstance(known[name].type, type) else known[name].type,
            value[name],
            f"{where}{name}",
            mistakes,
        )
    if "argv" in known and "argv" not in value:
        mistakes.append("argv: missing")
    return None if len(mistakes) > before else cls(**arguments)


def _value(kind: Any, value: Any, where: str, mistakes: list[str]) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        allowed = {item.value: item for item in kind}
        if isinstance(value, str) and value in allowed:
            return allowed[value]
        mistakes.append(f"{where}: {_named(value)} is none of {', '.join(allowed)}")
        return None
    if kind in (Ready, Stop, Restart, Limits):
        if isinstance(value, dict):
            return _object(kind, value, f"{where}.", mistakes)
        mistakes.append(f"{where}: not an object")
        return None
    check, convert, expected = _PLAIN[str(kind) if not isinstance(kind, type) else kind.__name__]
    if check(value):
        return convert(value)
    mistakes.append(f"{where}: {_named(value)} is not {expected}")
    return None


def _named(value: Any) -> str:
    """A value in a mistake. Not what is in a list or object: `repr` of one that is nested deeply recurses too far."""
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else repr(value)


def _shown(mistake: str) -> str:
    """Can be written to any log: no halves of characters, and not too long."""
    text = mistake if len(mistake) <= MAX_MISTAKE else f"{mistake[:MAX_MISTAKE]}…"
    return text.encode(errors="backslashreplace").decode()


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_number(value: Any) -> bool:
    """Within bounds, since a whole number can be larger than any float: converting that raises OverflowError."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -(2**63) <= value < 2**63


_PLAIN: dict[str, tuple[Any, Any, str]] = {
    "str": (_is_text, str, "a text"),
    "int": (_is_integer, int, "a whole number"),
    "int | None": (lambda value: value is None or _is_integer(value), lambda value: value, "a whole number or null"),
    "float": (_is_number, float, "a number"),
    "tuple[str, ...]": (_is_texts, tuple, "a list of texts"),
    "tuple[str, ...] | None": (
        lambda value: value is None or _is_texts(value),
        lambda value: None if value is None else tuple(value),
        "a list of texts or null",
    ),
    "collections.abc.Mapping[str, str]": (
        lambda value: isinstance(value, dict) and all(isinstance(item, str) for item in value.values()),
        dict,
        "an object of texts",
    ),
}


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
