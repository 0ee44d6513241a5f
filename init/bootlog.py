"""Keeps the record of this boot below the node's directory, and that of the boot before (contract/boots.py).

Runs in the logger or a child of it. Repeating changes nothing but what has changed. A power cut at any instant leaves
both records, or the older one twice.
"""

import json
import os
import time
from dataclasses import replace
from typing import Any

from init import linux, logring
from init.contract import bootid, boots, durable, paths
from init.contract.boots import Record

CARD_RESET = 0x20
"""WDIOF_CARDRESET (linux/watchdog.h): the watchdog's last act was to reset the machine."""


def keep(root: str, node: str, *, ending: bool = False) -> None:
    """Write this boot's record; the first time in a boot, the one that is there becomes the one before.

    `ending` is said by a logger that ends: if PID 1 is at a shutdown, that is how this boot ends. Raises OSError.
    """
    path, before_path = f"{node}/{boots.BELOW_NODE}", f"{node}/{boots.BEFORE_BELOW_NODE}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    there = _record(path)
    now = bootid.boot_id()
    before = _record(before_path)
    if there is not None and there.boot_id != now:
        last = _last_sign(f"{node}/{logring.BELOW_NODE}", there.boot_id)
        before = replace(there, watchdog=_by_watchdog(root), last=last)
        durable.write(before_path, boots.encode(before))
    if before is not None:
        durable.write(root + paths.BOOT_BEFORE, boots.encode(replace(before, said={})), 0o644, sync=False)
    durable.write(path, boots.encode(_this(root, now, _text(root + paths.ENDING) if ending else "")))


def _this(root: str, boot_id: str, ended: str) -> Record:
    said: dict[str, Any] = {"phases": _json(root + paths.BOOT).get("phases", []), "course": _json(root + paths.COURSE)}
    names = sorted(name.removesuffix(".json") for name in _names(root + paths.STATUS) if name.endswith(".json"))
    said["services"] = {name: _json(root + paths.status_file(name)) for name in names}
    up = linux.now()
    return Record(boot_id, time.time() - up, up, ended, said=said)  # noqa: TID251  when it was, for a person


def _last_sign(logs: str, boot_id: str) -> float | None:
    """When a line of that boot came last, in any log."""
    found: list[int] = []
    wanted = bytes.fromhex(boot_id.replace("-", ""))
    for name in filter(logring.plain, _names(logs)):
        for segment in reversed(logring.segments(f"{logs}/{name}")):
            if segment.head()[0] == wanted:
                found += [wall for _, wall, _ in segment.times()[-1:]]
                break
    return max(found) / 1e9 if found else None


def _by_watchdog(root: str) -> bool:
    states = (_text(f"{root}/sys/class/watchdog/{name}/bootstatus") for name in _names(f"{root}/sys/class/watchdog"))
    return any(int(state) & CARD_RESET for state in states if state.isdecimal())


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _record(path: str) -> Record | None:
    try:
        with open(path, "rb") as file:
            return boots.decode(file.read(boots.MAX_BYTES))
    except (OSError, ValueError):
        return None


def _json(path: str) -> dict[str, Any]:
    """Any: what JSON can say."""
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
