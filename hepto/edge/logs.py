"""What services of this node wrote, as lines of text or JSON: read from the rings that PID 1's logger keeps."""

import json
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from hepto import durations
from hepto.edge.pump import now
from hepto.errors import ExitCode, UserError
from hepto.given import shorten
from hepto.values import BadValue
from init import logread
from init.logread import Following, Line, Reader, Since
from init.logring import boot_id

SINCE_BOOT = "boot"


def check(service: str, names: Sequence[str]) -> None:
    """Raises UserError for a service that has no log."""
    if service not in names:
        raise UserError(f"{service} has no log", f"there are logs of: {', '.join(names) or 'nothing yet'}")


def since(text: str) -> Since | None:
    """What is meant by --since: a duration before now, a time of day (UTC if it does not say), `boot`; "": all.

    Raises UserError.
    """
    if not text:
        return None
    if text == SINCE_BOOT:
        return Since(math.inf, -math.inf, boot_id())
    try:
        ago = durations.parse(text)
    except BadValue:
        ago = time.time() - _wall(text)
    return Since(time.time() - ago, now() - ago, boot_id())


def _wall(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        what = f"--since {shorten(text)} is no duration, no time of day and not “{SINCE_BOOT}”"
        hint = "write it like --since 10m, --since 2026-01-31T18:30 or --since boot"
        raise UserError(what, hint, ExitCode.USAGE) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def begin(
    service: str, count: int | None = None, since: Since | None = None, *, follow: bool
) -> tuple[Sequence[Line], Following | None]:
    """The last `count` lines (None: all) that came at `since` or later; with `follow` also what gives those to come."""
    if not follow:
        return last(list(logread.lines(service, since=since)), count), None
    following = Following(Reader(service))
    lines: list[Line] = []
    while found := following.take():
        lines += [line for line in found if since is None or since.covers(line)]
    return last(lines, count), following


def last(lines: Sequence[Line], count: int | None) -> Sequence[Line]:
    """The last `count` lines; None: all."""
    return lines if count is None else lines[max(0, len(lines) - count) :]


def as_text(line: Line) -> str:
    """Time and text; seconds since the boot where the clock was not set yet."""
    if line.wall is not None:
        return f"{time_of_day(line.wall)} {line.text}"
    return f"{'-' if line.boot is None else f'{line.boot:.3f}'} {line.text}"


def as_object(line: Line) -> str:
    """One JSON object."""
    when = None if line.wall is None else time_of_day(line.wall)
    return json.dumps({"time": when, "boot": line.boot, "text": line.text}, ensure_ascii=False)


def time_of_day(wall: float, *, exact: bool = True) -> str:
    """Seconds since 1970 in UTC, as RFC 3339 has it; not `exact`: to the second."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ" if exact else "%Y-%m-%dT%H:%M:%SZ")
