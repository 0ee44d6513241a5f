"""R7: a data disk that is full, has no inode left or fails, and what a cluster of two nodes keeps meanwhile.

Two nodes without Kubernetes, a master and one more, each in turn with one of these disks for a while:

    full      a file takes all that is free: the master's
    inodes    so many files that none can be added: the other's
    failing   every request is answered with an error, so that the kernel makes the file system read-only: the other's

    named     seconds from the fault until the node's status says it in words
    healed    seconds from the end of its cause until the node waits for nothing. A disk that failed is checked at a
              boot, which the node orders by itself
    lost      of the cluster, while the disk was so: `services`, processes that are gone or others; `members`, looks at
              which a node was not alive to the other; `echoes`, looks at which it answered none of three through the
              mesh

There is no baseline: what others do of a full or failing disk is not one thing that could be measured.
"""

import argparse
import select
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench import guest, report
from bench.report import Row
from hepto.errors import UserError
from hepto.lab import boot, disk
from tests.vm import harness
from tests.vm.harness import Node

NAMED, HEALED = "named", "healed"
LOST: Final = ("services", "members", "echoes")
MEBIBYTES = 64
"""Of each disk: so small that its inodes can be used up."""
LIMIT = 300.0
BOOT_SECONDS = 310.0
"""A node boots by itself only if it had run well for five minutes: one that did not would do it again and again."""
ALIVE = {"one": "alive", "two": "alive"}
TAKE_INODES = """
import os
os.makedirs("/var/lib/hepto/many", exist_ok=True)
try:
    for number in range(1 << 20):
        os.close(os.open(f"/var/lib/hepto/many/{number}", os.O_CREAT | os.O_WRONLY))
except OSError:
    pass
"""


class Fault(NamedTuple):
    """What is done to whose disk, what the status says then, and how it ends."""

    name: str
    node: str
    words: tuple[str, ...]
    begin: Callable[[Node], object]
    end: Callable[[Node], object]
    boots: bool = False
    """It heals by a boot, which is no loss; its processes are others then."""


def _change(state: str) -> Callable[[Node], object]:
    return lambda node: disk.change(node.connection, node.name, state)


FAULTS: Final = (
    Fault("full", "one", ("the data disk is full",), _change("full"), _change("ok")),
    Fault(
        "inodes",
        "two",
        ("has no inode for another file",),
        lambda node: node.python(TAKE_INODES),
        lambda node: node.sh("rm -r /var/lib/hepto/many"),
    ),
    Fault(
        "failing",
        "two",
        ("the data disk fails", "the data disk is read-only"),
        _change("broken"),
        _change("ok"),
        boots=True,
    ),
)


def says(node: Node, words: Sequence[str]) -> bool:
    """Its status waits for its data disk, with one of these words."""
    waits = [wait["what"] for wait in node.status()["waits"] if wait["reason"] == "data disk"]
    return any(word in what for word in words for what in waits)


def kept(nodes: Mapping[str, Node], before: Mapping[str, Mapping[str, int]], seconds: float) -> dict[str, int]:
    """What was lost while the disk is as it is; `before`: the processes of each node's services."""
    lost = dict.fromkeys(LOST, 0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, node in nodes.items():
            lost["members"] += node.members() != ALIVE
            other = next(one for one in nodes if one != name)
            lost["echoes"] += not node.reaches(nodes[other].mesh_address())
    for name, node in nodes.items():
        now = node.service_pids()
        lost["services"] += sum(now.get(service) != process for service, process in before[name].items())
    return lost


def until(look: Callable[[], bool], what: str, limit: float = LIMIT) -> float:
    """Seconds until it is so. Raises UserError."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < limit:
        try:
            if look():
                return passed
        except (UserError, TimeoutError, ValueError, KeyError):
            pass  # it does not answer just now
        select.select([], [], [], 0.2)
    raise UserError(f"not within {limit:.0f} s: {what}", "the machines' consoles are in build/artifacts")


def suffer(nodes: Mapping[str, Node], fault: Fault, seconds: float) -> list[Row]:
    """One disk, from the fault to the end of its trouble. Raises UserError."""
    node, boots = nodes[fault.node], nodes[fault.node].view()["boots"]
    if fault.boots:
        uptime = "cat /proc/uptime"
        until(lambda: float(node.sh(uptime).split()[0]) > BOOT_SECONDS, "it ran for five minutes", 2 * BOOT_SECONDS)
    before = {name: one.service_pids() for name, one in nodes.items()}
    fault.begin(node)
    rows = [Row(fault.name, NAMED, until(lambda: says(node, fault.words), "the disk is named"), "s")]
    rows += [Row(fault.name, f"lost: {what}", number, "") for what, number in kept(nodes, before, seconds).items()]
    fault.end(node)
    booted = until(lambda: node.view()["boots"] > boots, "the node boots by itself") if fault.boots else 0.0
    healed = until(lambda: bool(node.status()["ready"]), "the node waits for nothing")
    until(lambda: harness.all_reach_all(nodes.values()), "the nodes reach each other")
    return [*rows, Row(fault.name, HEALED, booted + healed, "s")]


def verdicts(rows: Sequence[Row]) -> list[str]:
    """One line a disk."""
    found = []
    for fault in FAULTS:
        of_it = [row for row in rows if row.variant == fault.name]
        lost = int(sum(row.value for row in of_it if row.what.startswith("lost")))
        healed = any(row.what == HEALED for row in of_it)
        word = "reached" if healed and not lost else "MISSED"
        end = "healed by itself" if healed else "did not heal"
        if of_it:
            found.append(f"{fault.name}: {lost} lost, {end} (target: none, by itself): {word}")
    return found


def main(arguments: list[str]) -> int:
    """One lab, one disk after the other."""
    parser = argparse.ArgumentParser(prog="bench.disks")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long a disk stays as it is")
    given = parser.parse_args(arguments)
    harness.IMAGE = boot.check_image(given.image)
    lab, key = harness.planned("bench-disks", nodes=2, options=("hepto.debug=no-kube",), disk=MEBIBYTES)
    rows: list[Row] = []
    with harness.several(lab, key) as nodes:
        for fault in FAULTS:
            try:
                rows += suffer(nodes, fault, given.seconds)
            except UserError as error:
                rows.append(Row(fault.name, "lost: no end", 1.0, ""))
                print(f"{fault.name}: {error.what}; {error.hint}", flush=True)
                break  # the next one would begin with what this one has left
            print(f"{fault.name}: done", flush=True)
    report.show(rows)
    report.conclude("disks", rows, verdicts(rows))
    return 0


if __name__ == "__main__":
    report.run(main)
