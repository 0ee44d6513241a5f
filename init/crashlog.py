"""Makes crash reports of the deaths that PID 1 tells (contract/crash.py): with the last lines, on the node's disk, and
in short on the console.

Runs in a child of the logger, since a log must not wait for a disk; the logger has emptied the FIFOs of the dead. A
report is on the disk before PID 1's file goes, so a child that is killed has its work done again, with the same
result. Where the node's directory is not known or cannot be written to, reports stay in memory until it can.
"""

import os
import select
import time
from dataclasses import replace
from typing import NamedTuple

from init import logread
from init.console import Console
from init.contract import crash, durable
from init.contract.crash import Crash

MOST = 20
"""Reports that are kept; of the service with the most the oldest goes, so one that keeps dying drives out no other."""
LINES, LONGEST, TAIL = 20, 500, 64 * 1024
"""Lines of a report, characters of a line, and bytes at a log's end in which they are looked for."""
SHOWN = 5
"""Lines on the console."""
CONSOLE_SECONDS = 5.0
"""For a slow terminal to take them."""


class Places(NamedTuple):
    """Directories of files; `node` is "" as long as it is not known."""

    deaths: str
    volatile: str
    node: str
    logs: tuple[str, str]


def work(places: Places, console: Console) -> None:
    """Make a report of each death that is there, and take what is in memory to the disk."""
    if places.node:
        for path, found in kept(places.volatile):
            _keep(places.node, found)
            durable.remove(path, sync=False)
    for path, found in kept(places.deaths):
        report = replace(found, lines=last_lines(found, places.logs))
        try:
            _keep(places.node or places.volatile, report)
        except OSError:
            _keep(places.volatile, report)
        for text in spoken(report):
            console.line(text)
        durable.remove(path, sync=False)
    _wait_for(console)


def kept(directory: str) -> list[tuple[str, Crash]]:
    """The reports there, oldest first, with their paths. What is none is removed."""
    found = []
    try:
        names = [name for name in os.listdir(directory) if name.endswith(".json")]
    except FileNotFoundError:
        return []
    for name in names:
        path = f"{directory}/{name}"
        try:
            with open(path, "rb") as file:
                found.append((path, crash.decode(file.read(crash.MAX_BYTES))))
        except ValueError:
            durable.remove(path, sync=False)
    return sorted(found, key=lambda item: (item[1].wall, item[1].number))


def last_lines(found: Crash, logs: tuple[str, str]) -> tuple[str, ...]:
    """What the service has written last in this life: before the mark of this death, and after that of another."""
    reader = logread.Reader(found.service, logs, tail=TAIL)
    data = b""
    while part := reader.read():
        data += part
    lines = data.decode("utf-8", "replace").split("\n")
    end = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].endswith(found.mark)), len(lines))
    if end < len(lines):
        lines[end:] = [lines[end].removesuffix(found.mark)]  # a last line without its end
    begin = next((at + 1 for at in range(len(lines) - 1, -1, -1) if crash.MARK in lines[at]), 0)
    said = [line for line in lines[begin:] if line.strip()]
    return tuple(line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in said[-LINES:])


def spoken(found: Crash) -> list[str]:
    """What the console is to show of it."""
    if found.console == crash.FIRST:
        after = "it stays down" if found.retry is None else "it is started again"
        return [f"{found.service} died: {found.cause}, it was up {found.lived}; {after}"]
    if found.console != crash.AGAIN:
        return []
    after = "it stays down" if found.retry is None else f"it is tried again for ever, next in {found.retry:g} s"
    head = f"{found.service} keeps dying, {found.number} times now, last: {found.cause} after {found.lived}; {after}"
    shown = [f"  {found.service}: {line}" for line in found.lines[-SHOWN:]]
    return [f"{head}; its last lines:" if shown else f"{head}; it wrote nothing", *shown]


def _keep(directory: str, found: Crash) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    durable.write(f"{directory}/{crash.file_name(found)}", crash.encode(found))
    reports = kept(directory)
    while len(reports) > MOST:
        names = [one.service for _, one in reports]
        most = max(names, key=names.count)
        oldest = names.index(most)
        durable.remove(reports.pop(oldest)[0])


def _wait_for(console: Console) -> None:
    until = time.monotonic() + CONSOLE_SECONDS  # noqa: TID251  a terminal's time, not a core's
    while console.pending and (left := until - time.monotonic()) > 0:  # noqa: TID251
        descriptor = console.fileno()
        if descriptor >= 0:
            select.select([], [descriptor], [], left)
        console.flush()
