"""P10: power-on to node Ready, hepto against the prototype's order of starting.

Both run the same kernel, packages, stack, flags and environment in the same machine (2 processors, 2 GiB, QEMU as the
lab finds it), with a data disk that holds an empty file system (the prototype's also its certificates; hepto makes its
own within the time). The prototype starts everything at once and respawns what ends after two seconds
(programs/prototype.py); hepto starts on readiness, with firewall, mesh, clock, CoreDNS and its agent on top.

    ready     seconds of the guest's clock until the Ready condition was seen in the Node object: the prototype looks
              once a second, hepto's agent too
    kubelet   the same clock until kubelet wrote that the node just became ready, the same line of the same program
    power-on  seconds of the host's clock from the start of QEMU to the console's line: of the prototype for `ready`, of
              hepto "ready:", which waits for every other service, CoreDNS too, and for the bootstrap objects
    exits     processes of the stack that ended before
    load      of the host when the machine had done: above its number of processors the seconds are too many for both
"""

import argparse
import os
import re
import tempfile
from pathlib import Path

from bench import guest, prototype, report, roots
from bench.report import Row, Target
from hepto.edge.cache import cache_directory
from hepto.lab.boot import check_image
from hepto.lab.spec import Emulator

LIMIT_SECONDS = 900.0
TARGETS = (
    Target("ready", "hepto", "prototype", 1.10),
    Target("power-on", "hepto", "prototype", 1.10),
)
# Runs on the node: kubelet's line, moved to the guest's clock.
FIND = """
import re, subprocess, sys, time
text = subprocess.run(["hepto", "logs", "kubelet"], capture_output=True, text=True).stdout
found = re.search(r"I\\d{4} (\\d\\d):(\\d\\d):(\\d\\d\\.\\d+) .*just became ready", text)
at = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
print((at - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)) % 86400) % 86400)
"""
SEEN = """
import json, subprocess
print(json.loads(subprocess.check_output(["hepto", "status", "--json"]))["node_object"]["since"])
"""
COUNT = """
import glob, json
print(sum(max(json.load(open(path)).get("starts", 1) - 1, 0) for path in glob.glob("/run/hepto/status/*.json")))
"""


def measure_prototype(image: Path, disk: str, found: Emulator) -> list[Row]:
    """One boot of the baseline."""
    node = guest.Machine(image, disk=guest.DISK_MEBIBYTES, disk_from=disk)
    with guest.boot("prototype", node, found) as running:
        seen, seconds = running.wait(r"up=(\S+) node ready", LIMIT_SECONDS)
        kubelet, _ = running.wait(r"kubelet=(\S+)", 30)
        exits = len(re.findall(r"up=\S+ exit ", running.console()))
    return _rows("prototype", float(seen[1]), float(kubelet[1]), seconds, exits)


def measure_hepto(image: Path, disk: str, found: Emulator) -> list[Row]:
    """One boot of the image."""
    with guest.boot("hepto", guest.full_node(image, disk), found) as running:
        _, seconds = running.wait(r"ready: node ", LIMIT_SECONDS)
        seen, kubelet, exits = running.python(SEEN), running.python(FIND), running.python(COUNT)
    return _rows("hepto", float(seen), float(kubelet), seconds, int(exits))


def _rows(variant: str, ready: float, kubelet: float, seconds: float, exits: int) -> list[Row]:
    values = (
        ("ready", ready, "s"),
        ("kubelet", kubelet, "s"),
        ("power-on", seconds, "s"),
        ("exits", float(exits), ""),
        ("load", os.getloadavg()[0], ""),
    )
    return [Row(variant, *value) for value in values]


def main(arguments: list[str]) -> int:
    """Interleaved boots of both."""
    parser = argparse.ArgumentParser(prog="bench.ready")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args(arguments)
    image = check_image(given.image)
    baseline = prototype.image(roots.Given(image, cache_directory()))
    found = guest.find_emulator(image)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        empty = guest.data_disk(directory / "empty.raw", guest.DISK_MEBIBYTES)
        content = prototype.certificates(directory / "content")
        baked = guest.data_disk(directory / "baked.raw", guest.DISK_MEBIBYTES, content)
        for run in range(1, given.runs + 1):
            for measure, root, disk in ((measure_prototype, baseline, baked), (measure_hepto, image, empty)):
                new = measure(root, disk, found)
                rows += new
                values = ", ".join(f"{row.what} {row.value:.2f}" for row in new)
                print(f"run {run}: {new[0].variant:10} {values}", flush=True)
                report.save("ready", rows)
    report.finish("ready", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
