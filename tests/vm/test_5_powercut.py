"""The power is cut at many moments of a node's first minute, on disks made of the log of its writes.

The long form, with Kubernetes, etcd and disks that are booted again, is `make bench-powercut`. That the short one would
see a mistake is shown on a disk of this machine, without a node.
"""

import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench import hostdisk, survival
from bench.powercut import Looker, cuts
from bench.recording import Node, Recording
from bench.writelog import Flag, WriteLog, cut
from hepto.lab.client import LabClient
from init.contract import durable
from tests.vm import harness

pytestmark = [pytest.mark.vm, pytest.mark.timeout(400, func_only=True)]

CUTS = 30
"""Of the whole life, and as many of the time in which the baseline counted."""


def record(log: Path) -> Recording:
    """A node without Kubernetes that makes its cluster and counts: as a node writes, then as most programs do."""
    lab, key = harness.planned("powercut", options=("hepto.debug=no-kube",), memory=512, cpus=1, disk=1024)
    lab = replace(lab, nodes=(replace(lab.nodes[0], record=str(log)),))
    recording = Recording(log, lab.nodes[0].disk << 20, f"{lab.cluster}/one")
    with harness.running(lab, key) as nodes:
        connection: LabClient = nodes["one"].connection
        node = Node(connection, "one", recording)
        node.wait_for_cluster(harness.LIMIT)
        node.look()
        assert node.count("durable", 6.0) > 10
        assert node.count("naive", 6.0) > 10
        node.end()
    return recording


def test_a_power_cut_loses_nothing_that_was_told_and_the_harness_would_see_it(tmp_path: Path) -> None:
    recording = record(tmp_path / "writes.log")
    with recording.log.open("rb") as file:
        log = WriteLog(file)
        assert sum(entry.flags & Flag.FLUSH for entry in log.entries) > 20
        counting = [position for position, told in recording.told(log) if told.numbers.get("naive")]
        dice = random.Random(2)
        late = [cut(log.entries, dice.choice(range(counting[0], len(log.entries))), dice) for _ in range(CUTS)]
        points = sorted([*cuts(log, CUTS, 1), *late], key=lambda one: one.position)
        looker = Looker(recording, log, tmp_path)
        survivors = [looker.look(point) for point in points]

    assert [(one.cut.position, one.cut.fate, one.wrong) for one in survivors if one.wrong] == []
    assert len({one.told.numbers.get("durable", 0) for one in survivors}) > 3, "cuts at all times"
    lost = [one.naive for one in survivors if one.told.numbers.get("naive") and one.naive]
    assert len(lost) > CUTS // 4, "what is not written durably is lost, and that is seen"


def count(place: Path, recording: Recording) -> None:
    """Numbers in a file, written as a node does, but that names are never synced if that is taken away."""
    for number in range(1, 60):
        durable.write(str(place / "durable"), survival.content(number))
        recording.note("durable", number)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("synced", [True, False])
def test_a_name_that_is_not_on_the_disk_is_lost_and_that_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: bool
) -> None:
    size, place = 64 << 20, tmp_path / "mounted"
    place.mkdir()
    with hostdisk.recorded(harness.qemu(harness.image()), size, tmp_path) as (device, path):
        recording = Recording(path, size, "demo/one")
        subprocess.run(["mkfs.ext4", "-q", "-L", "hepto-data", "-E", "nodiscard", device], check=True)
        subprocess.run(["mount", "-o", "noatime", device, place], check=True)
        try:
            durable.make_directory(str(place / survival.NUMBERS))
            if not synced:
                monkeypatch.setattr(durable, "sync_directory", lambda path: None)
            count(place / survival.NUMBERS, recording)
            length = path.stat().st_size
        finally:
            subprocess.run(["umount", place], check=True)
    with recording.log.open("rb") as file:
        log = WriteLog(file)
        dice = random.Random(1)
        begun = next(position for position, told in recording.told(log) if told.numbers)
        moments = sorted(dice.sample(range(begun, log.entries_within(length)), 12))
        looker = Looker(recording, log, tmp_path)
        found = [looker.look(cut(log.entries, position, dice)) for position in moments]

    assert {sentence.partition(" is at")[0] for one in found for sentence in one.wrong} == (
        set() if synced else {"durable"}
    )
