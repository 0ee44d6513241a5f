"""Looks for secrets where they do not belong on a node, and prints where they are: never what they are.

Standard input is a JSON object of names and what to look for under each, in base64: argv would be one of the places.
Standard output is a JSON list of pairs, place and name. The places are the arguments and environments of all processes,
the kernel's command line and log, the log of every service and pod, and every file below TREES that others may read.
"""

import base64
import json
import mmap
import os
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from init import logread

TREES = ("/run", "/etc", "/var", "/tmp")
LOGS = "/var/log"
"""What is below is a log, whoever may read it."""
WITHOUT = ("rootfs",)
"""Directories: what is in a pod is looked at from inside."""

Data = bytes | mmap.mmap
Needles = Mapping[str, Collection[bytes]]


def search(data: Data, needles: Needles) -> list[str]:
    """The names under which something is in `data`."""
    return [name for name, spellings in needles.items() if any(data.find(spelling) >= 0 for spelling in spellings)]


def processes() -> Iterator[tuple[str, Data]]:
    """Arguments and environments, and the kernel's own arguments."""
    yield "kernel command line", Path("/proc/cmdline").read_bytes()
    for process in Path("/proc").glob("[0-9]*"):
        for kind in ("cmdline", "environ"):
            try:
                yield f"{kind} of process {process.name}", (process / kind).read_bytes()
            except OSError:  # it has ended
                continue


def kernel() -> bytes:
    """The kernel's log."""
    records = []
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            try:
                records.append(os.read(descriptor, 8192))
            except BrokenPipeError:  # it was overwritten before it was read
                continue
            except BlockingIOError:
                return b"".join(records)
    finally:
        os.close(descriptor)


def services() -> Iterator[tuple[str, Data]]:
    """Logs of services, each in one piece: what is written over the end of a segment is whole here."""
    for name in logread.services():
        reader, pieces = logread.Reader(name), []
        while piece := reader.read():
            pieces.append(piece)
        yield f"log of {name}", b"".join(pieces)


def files() -> Iterator[tuple[str, Data]]:
    """Regular files, each once, however many paths lead to it."""
    seen = set()
    for tree in TREES:
        for directory, names, children in os.walk(tree):
            names[:] = [name for name in names if name not in WITHOUT]
            for path in (f"{directory}/{child}" for child in children):
                try:
                    state = os.lstat(path)
                    public = state.st_mode & 0o077 or path.startswith(f"{LOGS}/")
                    if not (stat.S_ISREG(state.st_mode) and public and state.st_size):
                        continue
                    if (state.st_dev, state.st_ino) in seen:
                        continue
                    seen.add((state.st_dev, state.st_ino))
                    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
                        yield path, data
                except (OSError, ValueError):  # it is gone, or empty by now
                    continue


def main() -> None:
    """Look everywhere."""
    needles = {name: [base64.b64decode(text) for text in texts] for name, texts in json.load(sys.stdin).items()}
    hits = [(place, name) for place, data in processes() for name in search(data, needles)]
    hits += [("kernel log", name) for name in search(kernel(), needles)]
    hits += [(place, name) for place, data in services() for name in search(data, needles)]
    hits += [(place, name) for place, data in files() for name in search(data, needles)]
    print(json.dumps(hits))


if __name__ == "__main__":
    main()
