"""What services of this node wrote, as lines of text or JSON: read from the rings that PID 1's logger keeps."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from hepto.errors import UserError
from init import logread
from init.logread import Line


def check(service: str, names: Sequence[str]) -> None:
    """Raises UserError for a service that has no log."""
    if service not in names:
        raise UserError(f"{service} has no log", f"there are logs of: {', '.join(names) or 'nothing yet'}")


def begin(service: str, count: int | None, *, follow: bool) -> tuple[Sequence[Line], logread.Reader | None]:
    """The last `count` lines (None: all), and with `follow` what gives the bytes that come after them."""
    reader = logread.Reader(service, tail=0) if follow else None
    lines = [line for line in logread.lines(service) if reader is None or line.offset < reader.offset]
    return last(lines, count), reader


def last(lines: Sequence[Line], count: int | None) -> Sequence[Line]:
    """The last `count` lines; None: all."""
    return lines if count is None else lines[max(0, len(lines) - count) :]


def as_text(line: Line) -> str:
    """Time and text; seconds since the boot where the clock was not set yet."""
    if line.wall is not None:
        return f"{_iso(line.wall)} {line.text}"
    return f"{'-' if line.boot is None else f'{line.boot:.3f}'} {line.text}"


def as_object(line: Line) -> str:
    """One JSON object."""
    when = None if line.wall is None else _iso(line.wall)
    return json.dumps({"time": when, "boot": line.boot, "text": line.text}, ensure_ascii=False)


def _iso(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
