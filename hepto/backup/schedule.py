"""When a backup is due, which are kept, what they are called. Pure: from the names in a directory and the time.

A name has the time in it, so that nothing else has to be remembered: `demo-one-20261130T161500Z.age`, and `.tar.gz` in
place of `.age` for one that is not encrypted.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

INTERVAL: Final = timedelta(hours=12)
KEPT: Final = 5
ENCRYPTED, PLAIN = ".age", ".tar.gz"
_FORM: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r".+-(\d{8}T\d{6}Z)(\.age|\.tar\.gz)")


def name(cluster: str, node: str, now: datetime, *, encrypted: bool) -> str:
    """Of a backup made `now` (an aware datetime)."""
    return f"{cluster}-{node}-{now.astimezone(UTC).strftime(_FORM)}{ENCRYPTED if encrypted else PLAIN}"


def made(name: str) -> datetime | None:
    """When a backup was made, None if the name is not of one."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None


def backups(names: Iterable[str]) -> tuple[str, ...]:
    """Those of them that are backups, the oldest first."""
    times = {one: when for one in names if (when := made(one)) is not None}
    return tuple(sorted(times, key=lambda one: (times[one], one)))


def pause(names: Iterable[str], now: datetime) -> timedelta:
    """How long until the next is due; nothing for at once. One of the future is no backup: the clock was wrong."""
    past = [when for one in names if (when := made(one)) is not None and when <= now]
    return max(timedelta(), INTERVAL - (now - max(past))) if past else timedelta()


def surplus(names: Iterable[str]) -> tuple[str, ...]:
    """Those that are to go."""
    return backups(names)[:-KEPT]
