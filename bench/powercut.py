"""R6: the power is cut at 1,000 moments of a node's first life, and each time nothing that it had told is lost.

A node boots on a blank disk whose writes and flushes QEMU logs. It makes its cluster, becomes Ready, counts in a file
and in etcd, saying each number when it is written, and issues its certificates again and again. Then disks are made of
the log, as a power cut at random moments would leave them (bench/writelog.py says what it may do), and are looked at on
this machine (bench/survival.py, bench/etcd_data.py): file system, keys, certificates, state, numbers, etcd's database.
Some are booted, and have to become Ready as the same cluster.

The baseline counts as most programs write a file, without waiting for the disk: the same cuts have to show its loss, or
they would show nothing.

    disks      whole ones of all that were looked at: everything that had been told is there
    naive      of those that were cut while the baseline counted: how many have lost or spoilt a number
    booted     those that became Ready again
"""

import argparse
import contextlib
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench import etcd_data, guest, report, survival
from bench.recording import Node, Recording, of_node
from bench.replay import Replay
from bench.report import Row
from bench.survival import Told
from bench.writelog import Cut, WriteLog, cut
from hepto.errors import UserError
from hepto.lab.boot import check_image
from hepto.lab.spec import Emulator
from init.disks import Format, Mount

READY_LIMIT: Final = 900.0
COUNT_SECONDS: Final = 40.0
NAIVE_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Survivor:
    """A disk that was looked at."""

    cut: Cut
    told: Told
    wrong: tuple[str, ...]
    """Sentences; none if nothing is lost."""
    naive: str
    """The same of the baseline."""


def record(image: Path, found: Emulator, log: Path) -> Recording:
    """The life of one node, from a blank disk to the end of its power."""
    machine = replace(guest.full_node(image, ""), record=str(log))
    recording = Recording(log, machine.disk << 20, f"{guest.CLUSTER}/{guest.NODE}")
    with guest.boot("powercut", machine, found) as running, running.client() as connection:
        node = Node(connection, guest.NODE, recording)
        node.wait_for_cluster(READY_LIMIT)
        node.look()
        running.wait(r"ready: node ", READY_LIMIT)
        node.count("durable", COUNT_SECONDS, etcd=True)
        node.count("naive", NAIVE_SECONDS)
        node.look()
        node.end()
    return recording


def cuts(log: WriteLog, number: int, seed: int) -> list[Cut]:
    """At so many random moments, in their order."""
    dice = random.Random(seed)
    positions = sorted(dice.randint(1, len(log.entries)) for _ in range(number))
    return [cut(log.entries, position, dice) for position in positions]


def look(disk: Path, recording: Recording, told: Told, directory: Path, etcd: Path | None) -> tuple[list[str], str]:
    """What is wrong with a disk, and with the baseline on it. `disk` is mended by it; `directory` is empty."""
    match survival.decision(disk):
        case Format() if not told.files:
            return [], ""
        case Mount():
            wrong = survival.file_system(disk)
        case other:
            return [f"a boot would not mount it: {other}"], ""
    node = directory / recording.directory
    node.mkdir(parents=True)
    survival.extract(disk, of_node(recording.directory), node)
    survival.extract(disk, (f"/{survival.NUMBERS}",), directory)
    wrong += survival.node_state(node, told, recording.known)
    numbers = directory / survival.NUMBERS
    wrong += filter(None, [survival.lost("durable", survival.number(numbers / "durable"), told)])
    if etcd is not None:
        wrong += filter(None, [etcd_data.judge(etcd, node / "etcd", told.numbers.get("etcd", 0))])
    return wrong, survival.lost("naive", survival.number(numbers / "naive"), told)


class Looker:
    """Makes and looks at disks, one after the other; the cuts come in the order of their positions."""

    def __init__(self, recording: Recording, log: WriteLog, directory: Path, etcd: Path | None = None) -> None:
        self._recording = recording
        self._directory = directory
        self._etcd = etcd
        self._replay = Replay(log, recording.size, directory)
        self._told = [*recording.told(log)]

    def look(self, found: Cut) -> Survivor:
        """At the disk after one cut; it is gone afterwards, unless something is wrong with it."""
        told = [said for position, said in self._told if position <= found.position][-1]
        disk = self.disk(found)
        with tempfile.TemporaryDirectory(dir=self._directory) as place:
            wrong, naive = look(disk, self._recording, told, Path(place), self._etcd)
        if not wrong:
            disk.unlink()
        return Survivor(found, told, tuple(wrong), naive)

    def disk(self, found: Cut) -> Path:
        """The disk after one cut."""
        path = self._directory / f"cut-{found.position}.raw"
        self._replay.disk(found, path)
        return path


def boot(image: Path, found: Emulator, disk: Path, told: Told) -> str:
    """Boot a disk; what is wrong, empty if it becomes Ready as what it was."""
    try:
        machine = guest.full_node(image, str(disk))
        with guest.boot("powercut-again", machine, found) as running, running.client() as connection:
            running.wait(r"ready: node ", READY_LIMIT)
            recording = Recording(disk, machine.disk << 20, f"{guest.CLUSTER}/{guest.NODE}")
            Node(connection, guest.NODE, recording).look()
            changed = [name for name, digest in told.files.items() if recording.known.get(name) != digest]
    except UserError as error:
        return f"{error.what}; {error.hint}"
    return f"it has made {', '.join(changed)} anew" if changed else ""


def rows(survivors: Sequence[Survivor], booted: Sequence[str]) -> list[Row]:
    """One of each disk, in their order: 1 for whole, of the baseline 1 for a loss, where it had told anything.

    The variant is what became of the writes that were not flushed.
    """
    found = [Row(_fate(one), "disks", float(not one.wrong), "") for one in survivors]
    counted = [one for one in survivors if one.told.numbers.get("naive")]
    found += [Row(_fate(one), "naive lost", float(bool(one.naive)), "") for one in counted]
    return found + [Row("Ready again", "booted", float(not wrong), "") for wrong in booted]


def _fate(one: Survivor) -> str:
    return f"unflushed: {one.cut.fate.value}"


def summary(found: Sequence[Row]) -> list[str]:
    """A line for each kind of row."""
    lines = []
    for what, limit in (("disks", "all"), ("naive lost", "some"), ("booted", "all")):
        values = [row.value for row in found if row.what == what]
        good = sum(values) == len(values) if limit == "all" else sum(values) > 0
        if values:
            lines.append(
                f"{what}: {sum(values):.0f} of {len(values)} (target: {limit}): {'reached' if good else 'MISSED'}"
            )
    return lines


def main(arguments: list[str]) -> int:
    """Record, cut, look, boot."""
    parser = argparse.ArgumentParser(prog="bench.powercut")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--points", type=int, default=1000, help="moments at which the power is cut")
    parser.add_argument("--boots", type=int, default=5, help="disks that are booted")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a directory for the log, and for disks on which something is wrong")
    given = parser.parse_args(arguments)
    image = check_image(given.image)
    found = guest.find_emulator(image)
    with contextlib.ExitStack() as stack:
        directory = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        etcd = stack.enter_context(etcd_data.stack(image, directory))
        recording = record(image, found, directory / "writes.log")
        log = WriteLog(stack.enter_context(recording.log.open("rb")))
        print(f"{len(log.entries)} requests were logged, {recording.log.stat().st_size >> 20} MiB", flush=True)
        survivors = _survive(Looker(recording, log, directory, etcd), cuts(log, given.points, given.seed))
        booted = _boot(image, found, recording, log, directory, given)
    result = rows(survivors, booted)
    report.conclude("powercut", result, summary(result))
    return 0


def _survive(looker: Looker, points: Sequence[Cut]) -> list[Survivor]:
    survivors = []
    for index, point in enumerate(points, 1):
        survivors.append(looker.look(point))
        for sentence in survivors[-1].wrong:
            print(f"cut at {point.position} ({point.fate.value}): {sentence}", flush=True)
        if index % 50 == 0:
            whole = sum(not one.wrong for one in survivors)
            print(f"{whole} of {index} disks are whole", flush=True)
    return survivors


def _boot(
    image: Path, found: Emulator, recording: Recording, log: WriteLog, directory: Path, given: argparse.Namespace
) -> list[str]:
    """Some of other moments, from the whole life."""
    again = directory / "booted"
    again.mkdir(exist_ok=True)
    looker = Looker(recording, log, again)
    booted = []
    for point in cuts(log, given.boots, given.seed + 1):
        told = [said for position, said in recording.told(log) if position <= point.position][-1]
        booted.append(boot(image, found, looker.disk(point), told))
        print(f"booted after a cut at {point.position}: {booted[-1] or 'Ready, and what it was'}", flush=True)
    return booted


if __name__ == "__main__":
    report.run(main)
