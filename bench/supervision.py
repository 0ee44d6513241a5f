"""P2: from `kill -9` of a service to its next beginning, hepto's PID 1 against systemd, busybox init and s6.

    restart   milliseconds of the guest's clock from just before the call of kill to the first statement of the new
              process of programs/served.c: the death's way to the supervisor, its decision, fork and exec
    p50, p99  nearest ranks of all kills of an init

Each init is PID 1 of the same kernel on one processor whose clock is the number of instructions executed
(bench/inits.py): 1 ns an instruction, so a loaded machine changes nothing and another init's boot is no disturbance.
The inits take turns; a turn is a boot and half of the kills. Between two kills the service is up for 1.2 s and more, so
that no back-off is measured, of hepto, s6 or systemd.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import guest, inits, report, roots
from bench.report import Row, Target
from hepto.edge.cache import cache_directory
from hepto.errors import UserError
from hepto.lab.boot import check_image

WHAT, P50, P99 = "restart", "restart, p50", "restart, p99"
TURNS = 2
TARGETS = (
    Target(P50, inits.HEPTO, "systemd", 0.25),
    Target(P99, inits.HEPTO, "systemd", 0.25),
    Target(P99, inits.HEPTO, 100.0, 1.0),
)


def latencies(variant: str, found: Sequence[tuple[str, int]], kills: int) -> list[float]:
    """Milliseconds, from what the trial said of an init. Raises UserError if a service stayed down."""
    values = [nanoseconds / 1e6 for what, nanoseconds in found if what == "kill"]
    if len(values) != kills:
        raise UserError(
            f"{variant}: {len(values)} of {kills} restarts were seen", "the service has stayed down after a kill"
        )
    return values


def summed_up(rows: Sequence[Row]) -> list[Row]:
    """The two ranks of each init."""
    found = []
    for variant in dict.fromkeys(row.variant for row in rows):
        values = [row.value for row in rows if row.variant == variant]
        for what, part in ((P50, 0.5), (P99, 0.99)):
            found.append(Row(variant, what, report.percentile(values, part), "ms"))
    return found


def main(arguments: list[str]) -> int:
    """Interleaved boots of all inits."""
    parser = argparse.ArgumentParser(prog="bench.supervision")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--kills", type=int, default=100, help="of each init")
    parser.add_argument("--inits", type=lambda text: text.split(","), default=list(inits.MAKERS))
    given = parser.parse_args(arguments)
    sources = roots.Given(check_image(given.image), cache_directory())
    kills = given.kills // TURNS
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        disk = guest.data_disk(Path(directory) / "data.raw")
        for turn in range(1, TURNS + 1):
            for variant in given.inits:
                found = inits.measure(variant, inits.image(sources, variant), disk, ("kills", str(kills)))
                values = latencies(variant, found, kills)
                rows += [Row(variant, WHAT, value, "ms") for value in values]
                print(f"turn {turn}: {variant:18} {report.percentile(values, 0.5):9.3f} ms", flush=True)
                report.save("supervision", rows)
    report.finish("supervision", [*rows, *summed_up(rows)], TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
