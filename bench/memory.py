"""P11: memory of every process of an idle full node with two pods, and whether a machine of 1 GiB runs them.

PSS counts a shared page as its fraction, so the sum is what the machine has less; RSS and anonymous memory (which
cannot be evicted) are kept beside it. Idle means a minute after the two pods of `hepto lab demo` have answered. A
process belongs to its control group: a service, PID 1, the shims (one a pod), the pods. The lab's own channel, which no
real node runs, is listed and in no sum.

    sum         services and PID 1: what Kubernetes and hepto need before anybody runs a pod on them
    everything  the shims and the pods too
"""

import argparse
import json
import select
import tempfile
from pathlib import Path

from bench import guest, report
from bench.report import Row, Target
from hepto.cli.progress import Progress
from hepto.errors import UserError
from hepto.lab import demo
from hepto.lab.boot import check_image
from hepto.lab.spec import Emulator

TARGET_MEBIBYTES = 500.0
LIMIT_SECONDS = 600.0
SETTLE_SECONDS = 60.0
SMALL_MEBIBYTES = 1024
FIELDS = {"Pss": "PSS", "Rss": "RSS", "Anonymous": "anonymous"}
PODS = ("shims", "pods")
LAB = "lab"
TARGETS = (
    Target("PSS", "sum", TARGET_MEBIBYTES, 1.0),
    Target("PSS", "everything", TARGET_MEBIBYTES, 1.0),
)
# Runs on the node. Kernel threads have no smaps; this script and its parent in the lab's group are counted as `lab`.
READ = """
import json, os
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:]
        group = open(f"/proc/{pid}/cgroup").read().strip().partition("::")[2]
        name = open(f"/proc/{pid}/comm").read().strip()
    except OSError:
        continue
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    found.append({"pid": int(pid), "name": name, "group": group, "sizes": sizes})
memory = dict(line.split(":") for line in open("/proc/meminfo").read().splitlines())
print(json.dumps({"processes": found, "available": int(memory["MemAvailable"].split()[0])}))
"""


def owner(group: str) -> str:
    """Who a process belongs to, by its control group."""
    parts = group.strip("/").split("/")
    match parts:
        case ["hepto", name, *_]:
            return name
        case ["kubepods", *_]:
            return "pods"
        case _:
            return "PID 1"


def rows_of(answer: str) -> list[Row]:
    """From what READ printed: a row for each owner and kind of memory, and the two sums, in MiB."""
    value = json.loads(answer)
    table: dict[str, dict[str, float]] = {}
    for process in value["processes"]:
        line = table.setdefault(owner(process["group"]), dict.fromkeys(FIELDS, 0.0))
        for field in FIELDS:
            line[field] += process["sizes"].get(field, 0) / 1024
    counted = {name: line for name, line in table.items() if name != LAB}
    own = [line for name, line in counted.items() if name not in PODS]
    order = sorted(table.items(), key=lambda item: -item[1]["Pss"])
    sums = (("sum", own), ("everything", list(counted.values())))
    rows = [Row(name, FIELDS[field], line[field], "MiB") for name, line in order for field in FIELDS]
    for name, lines in sums:
        rows += [Row(name, FIELDS[field], sum(line[field] for line in lines), "MiB") for field in FIELDS]
    return [*rows, Row("machine", "available", value["available"] / 1024, "MiB")]


def pods_answer(running: guest.Guest, limit: float) -> None:
    """Ready, and the two pods answer through their Service. Raises UserError."""
    running.wait(r"ready: node ", limit)
    with running.client() as connection:
        demo.show(connection, Progress())


def measure(image: Path, disk: str, found: Emulator, settle: float) -> list[Row]:
    """The table of an idle node."""
    with guest.boot("memory", guest.full_node(image, disk), found) as running:
        pods_answer(running, LIMIT_SECONDS)
        select.select([], [], [], settle)
        return rows_of(running.python(READ))


def try_small(image: Path, disk: str, found: Emulator) -> Row:
    """1 if a machine of 1 GiB runs the two pods, else 0 with the reason on the terminal."""
    what = f"{SMALL_MEBIBYTES} MiB machine"
    try:
        with guest.boot("small", guest.full_node(image, disk, SMALL_MEBIBYTES), found) as running:
            pods_answer(running, LIMIT_SECONDS)
    except (UserError, TimeoutError) as error:
        print(f"{what}: {error}")
        return Row(what, "two pods answer", 0.0, "")
    return Row(what, "two pods answer", 1.0, "")


def main(arguments: list[str]) -> int:
    """One node of 2 GiB, then one of 1 GiB."""
    parser = argparse.ArgumentParser(prog="bench.memory")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS)
    given = parser.parse_args(arguments)
    image = check_image(given.image)
    found = guest.find_emulator(image)
    with tempfile.TemporaryDirectory() as directory:
        disk = guest.data_disk(Path(directory) / "empty.raw", guest.DISK_MEBIBYTES)
        rows = measure(image, disk, found, given.settle)
        report.save("memory", rows)
        rows.append(try_small(image, disk, found))
    report.finish("memory", rows, TARGETS)
    word = "reached" if rows[-1].value else "MISSED"
    print(f"two pods in {SMALL_MEBIBYTES} MiB: {word}")
    return 0


if __name__ == "__main__":
    report.run(main)
