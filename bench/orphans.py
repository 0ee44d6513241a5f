"""P3: 1,000 orphans that end at once, until PID 1 has reaped the last, hepto against systemd, busybox init and s6.

The orphans are forked twice, so that PID 1 is their parent, and wait until all are there; then all are let go.

    reaped       milliseconds of the guest's clock from then until the last zombie is gone, seen within 0.5 ms. Their
                 ends are in it, alike for all
    processor    milliseconds of a processor that PID 1 itself has had meanwhile
    gossip       hepto only, in rounds of its own: from a member's ping to the agent's answer, over the loopback device,
                 encrypted as on the wire; those that the reaping was under way for, and the others ("at rest").
                 Without an answer: 5,000

The same machines as bench/supervision.py's (bench/inits.py). Each turn is a boot of each init, with a few rounds.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench import guest, inits, report, roots
from bench.report import Row, Target
from hepto.edge.cache import cache_directory
from hepto.errors import UserError
from hepto.lab import channel
from hepto.lab.boot import check_image

REAPED, PROCESSOR, GOSSIP, AT_REST, WORST = "reaped", "processor", "gossip", "gossip at rest", "gossip, worst"
ORPHANS = 1000
PINGER = Path(__file__).parent / "programs/pinger.py"
STOP = "/run/bench-stop"
AGAIN = "again"
TARGETS = (
    Target(REAPED, inits.HEPTO, "systemd", 0.7),
    Target(REAPED, inits.HEPTO, "systemd-stripped", 0.7),
    Target(WORST, inits.HEPTO, 500.0, 1.0),
)


class Storm(NamedTuple):
    """One round, in nanoseconds of the guest: when it began, how long it took, how long PID 1 had a processor."""

    began: int
    took: int
    processor: int


def storms(found: Sequence[tuple[str, int]], rounds: int) -> list[Storm]:
    """From what the trial said. Raises UserError if a round could not make its orphans."""
    by_name = {name: [value for what, value in found if what == name] for name in ("began", "reaped", "processor")}
    if len(by_name["reaped"]) != rounds:
        raise UserError(f"{len(by_name['reaped'])} of {rounds} rounds are whole", "the machine is out of processes")
    return [Storm(*values) for values in zip(*by_name.values(), strict=True)]


def rows_of(variant: str, found: Sequence[Storm]) -> list[Row]:
    """Two rows a round."""
    rows = []
    for storm in found:
        rows += [Row(variant, REAPED, storm.took / 1e6, "ms"), Row(variant, PROCESSOR, storm.processor / 1e6, "ms")]
    return rows


def answers(pings: Sequence[tuple[int, int]], found: Sequence[Storm]) -> list[Row]:
    """A row a ping: was a storm under way between it and its answer?"""
    rows = []
    for sent, took in pings:
        meets = any(sent < storm.began + storm.took and storm.began < sent + took for storm in found)
        rows.append(Row(inits.HEPTO, GOSSIP if meets else AT_REST, took / 1e6, "ms"))
    return rows


def listen(running: guest.Guest, words: tuple[str, ...]) -> list[tuple[int, int]]:
    """A second trial on the same node, with pings beside it; when they were sent and what each took (nanoseconds)."""
    length = len(running.console())
    argv = ("/usr/bin/python3", "-I", "-c", PINGER.read_text(), guest.CLUSTER, guest.NODE, STOP)
    with running.client() as pinger:
        number = pinger.request(guest.NODE, argv, b"00" * 32, inits.LIMIT_SECONDS)
        inits.begin(running, words, AGAIN)
        running.wait(inits.OVER, inits.LIMIT_SECONDS, after=length)
        with running.client() as other:
            other.run(guest.NODE, "/bin/touch", STOP)
        parts = [channel.unpack(frame) for frame in pinger.answers(number, 60) if "stream" in frame]
    try:
        return [(sent, took) for sent, took in json.loads(b"".join(parts))]
    except ValueError:
        raise UserError("the pings have failed", b"".join(parts).decode(errors="replace")[-500:]) from None


def measure(variant: str, root: Path, disk: str, rounds: int) -> list[Row]:
    """One boot."""
    words = ("orphans", str(ORPHANS), str(rounds))
    pings: list[tuple[int, int]] = []

    def after(running: guest.Guest) -> None:
        if variant == inits.HEPTO:
            pings.extend(listen(running, words))

    found = inits.observe(variant, root, disk, words, after)
    whole = storms(found, rounds * 2 if variant == inits.HEPTO else rounds)
    return rows_of(variant, whole[:rounds]) + answers(pings, whole[rounds:])


def main(arguments: list[str]) -> int:
    """Interleaved boots of all inits."""
    parser = argparse.ArgumentParser(prog="bench.orphans")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="of each turn")
    parser.add_argument("--inits", type=lambda text: text.split(","), default=list(inits.MAKERS))
    given = parser.parse_args(arguments)
    sources = roots.Given(check_image(given.image), cache_directory())
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        disk = guest.data_disk(Path(directory) / "data.raw")
        for turn in range(1, given.turns + 1):
            for variant in given.inits:
                new = measure(variant, inits.image(sources, variant), disk, given.rounds)
                rows += new
                print(f"turn {turn}: {variant:18} {report.median(new, variant, REAPED):9.2f} ms", flush=True)
                report.save("orphans", rows)
    worst = max((row.value for row in rows if row.what == GOSSIP), default=None)
    if worst is not None:
        rows.append(Row(inits.HEPTO, WORST, worst, "ms"))
    report.finish("orphans", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
