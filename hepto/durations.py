"""Durations as people write them, 500ms, 12s, 5m, 1h or 2d, to and from seconds."""

import re

from hepto.given import shorten
from hepto.values import BadValue

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 1000 * 3600.0
"""Seconds; a float still counts nanoseconds there."""

_PATTERN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)


def parse(text: str) -> float:
    """Seconds. Raises BadValue."""
    found = _PATTERN.fullmatch(text)
    if not found:
        raise BadValue(f"“{shorten(text)}” is no time such as 500ms, 12s, 5m or 1h")
    seconds = round(float(found[1]) * UNITS[found[2]], 9)
    if seconds > LONGEST:
        raise BadValue(f"{text} is longer than {write(LONGEST)}")
    return seconds


def write(seconds: float) -> str:
    """In the largest unit up to hours that needs no fraction, else in milliseconds."""
    for unit in ("h", "m", "s"):
        count = seconds / UNITS[unit]
        if count == int(count) and (count or unit == "s"):
            return f"{int(count)}{unit}"
    return f"{plain(seconds * 1000)}ms"


def plain(number: float) -> str:
    """Without needless zeros."""
    return f"{number:.6f}".rstrip("0").rstrip(".")
