"""P5: how soon a dead member is noticed and at what price, hepto against Debian's serf and kinship of PyPI.

For each size every system gets a cluster in namespaces of its own, one address a member (bench/gossip_network.py,
bench/gossip_systems.py). All clusters are up at the same time and take the same steps at the same instants, so that
whatever disturbs the machine disturbs all: the same victim dies everywhere, and the next one does when all clusters are
whole again. With --in-turn the victims die in one cluster after the other, which takes twice as long.

    idle      nothing happens: bytes, packets, processor time and memory a node
    kills     kill -9, one victim at a time, until every survivor has said so; the host's kernel goes on answering for
              the victim ("port unreachable"). In some, "host gone", its address falls silent, as after a power cut
    starved   SIGSTOP for 5 of every 6 seconds on 3 members (first size only): nobody was killed, whoever is called
              failed is alive or will be in 5 seconds

An unnoticed kill counts as infinitely long. False failures are counted once for each member that says so.
"""

import argparse
import contextlib
import json
import os
import random
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import gossip_table, report
from bench.gossip_systems import SYSTEMS
from bench.report import Row
from hepto.errors import UserError
from hepto.lab.keeper import unshare_argv

SETTLE_SECONDS = 30.0
"""After that the exchanges that follow a join are rare in each system."""
STARVED = 3
SEED = 4


class Worker:
    """The process that keeps one cluster (bench/gossip_cell.py)."""

    def __init__(self, system: str, members: int):
        self.system = system
        self._members = members
        log = report.RESULTS / f"gossip_{system}.log"
        command = [*unshare_argv(os.getuid()), sys.executable, "-m", "bench.gossip_cell"]
        self._process = subprocess.Popen(
            [*command, system, str(members), log], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def order(self, verb: str, **arguments: Any) -> None:
        """Say what to do; `answer` waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": verb, **arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> list[Row]:
        """What came of it. Raises UserError."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process that kept it has ended"}
        if "error" in answer:
            hint = f"see its members' messages in {report.RESULTS / f'gossip_{self.system}.log'}"
            raise UserError(f"{self.system} with {self._members} members: {answer['error']}", hint)
        return [
            Row(self.system, gossip_table.labelled(what, self._members), value, unit)
            for what, value, unit in answer["rows"]
        ]

    def close(self) -> None:
        """End the cluster."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


class Workers:
    """All systems' clusters of one size. Every order is given to all, at once or in turn; the rows pile up."""

    def __init__(self, systems: list[str], members: int, rows: list[Row], *, in_turn: bool):
        self._all = [Worker(system, members) for system in systems]
        self._in_turn = in_turn
        self._rows = rows

    def all(self, verb: str, **arguments: Any) -> None:
        """The order to all at once."""
        for worker in self._all:
            worker.order(verb, **arguments)
        for worker in self._all:
            self._rows += worker.answer()

    def each(self, verb: str, **arguments: Any) -> None:
        """The order to one after the other."""
        for worker in self._all:
            worker.order(verb, **arguments)
            self._rows += worker.answer()

    def step(self, verb: str, **arguments: Any) -> None:
        """As was asked for on the command line."""
        (self.each if self._in_turn else self.all)(verb, **arguments)

    def close(self) -> None:
        """End all."""
        for worker in self._all:
            worker.close()


@contextlib.contextmanager
def clusters(given: argparse.Namespace, members: int, rows: list[Row]) -> Iterator[Workers]:
    """The clusters, all joined, until the block ends."""
    workers = Workers(given.systems, members, rows, in_turn=given.in_turn)
    try:
        workers.each("up")
        wait(SETTLE_SECONDS)
        yield workers
    finally:
        workers.close()


def wait(seconds: float) -> None:
    """Let the clusters be."""
    select.select([], [], [], seconds)


def victims(dice: random.Random, members: int, kills: int, gone: int) -> list[tuple[int, str]]:
    """Who is to die and how, in a random order."""
    kinds = ["kill -9"] * kills + ["host gone"] * gone
    dice.shuffle(kinds)
    return [(dice.randint(1, members), kind) for kind in kinds]


def idle(workers: Workers, seconds: float) -> None:
    """The price of being there."""
    workers.all("begin")
    wait(seconds)
    workers.all("finish", phase="idle")


def kills(workers: Workers, dice: random.Random, sequence: list[tuple[int, str]]) -> None:
    """One victim after the other; the pause keeps the kills out of step with the probes."""
    workers.all("begin")
    for number, kind in sequence:
        wait(dice.random())
        workers.step("end", number=number, kind=kind)
    workers.all("finish", phase="kills")


def starvation(workers: Workers, starved: list[int], seconds: float) -> None:
    """Members that hardly run."""
    workers.all("begin")
    workers.step("starve", numbers=starved, seconds=seconds)
    workers.all("finish", phase="starved", starved=starved)


def options(arguments: list[str]) -> argparse.Namespace:
    """The command line; lists are separated by commas."""
    parser = argparse.ArgumentParser(prog="bench.gossip_detection")
    parser.add_argument("--systems", type=lambda text: text.split(","), default=list(SYSTEMS))
    parser.add_argument("--nodes", type=lambda text: [int(one) for one in text.split(",")], default=[20, 60])
    parser.add_argument("--kills", type=int, default=20, help="kill -9 for each size")
    parser.add_argument("--gone", type=int, default=5, help="kills for each size in which the host falls silent too")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    parser.add_argument("--starve", type=float, default=60.0, help="seconds; 0: do not")
    parser.add_argument("--in-turn", action="store_true", help="kill in one cluster after the other")
    given = parser.parse_args(arguments)
    unknown = set(given.systems) - SYSTEMS.keys()
    if unknown:
        parser.error(f"no system {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    return given


def main(arguments: list[str]) -> int:
    """All phases for all sizes; the table is in build/bench/gossip_detection.md."""
    given = options(arguments)
    report.RESULTS.mkdir(parents=True, exist_ok=True)
    for system in given.systems:
        SYSTEMS[system].prepare()
    rows: list[Row] = []
    dice = random.Random(SEED)
    for members in given.nodes:
        with clusters(given, members, rows) as workers:
            print(f"N={members}: up", flush=True)
            idle(workers, given.idle)
            kills(workers, dice, victims(dice, members, given.kills, given.gone))
            report.save("gossip_detection", rows)
            if given.starve and members == given.nodes[0]:
                starvation(workers, dice.sample(range(1, members + 1), STARVED), given.starve)
    table = gossip_table.markdown(rows, given.systems, given.nodes)
    Path(report.RESULTS / "gossip_detection.md").write_text(table)
    report.finish("gossip_detection", rows, gossip_table.targets(given.systems, given.nodes))
    print(table)
    return 0


if __name__ == "__main__":
    report.run(main)
