"""P7: seconds of one core for 1,000 simulated nodes and 120 s, from a converged table, with 10 kills.

What runs is the production core; only encryption is replaced by a checksum of equal length. Making the nodes and
their tables is measured apart. The baseline is what kinship's simulator (Rust) took for the same.
"""

import argparse
import time

from bench import report
from bench.report import Row, Target
from hepto.sim import report as figures
from hepto.sim.faults import Kind, parse
from hepto.sim.plan import Plan
from hepto.sim.simulation import Simulation

TARGET_SECONDS = 60.0
KINSHIP_SECONDS = 18.0
KILLS = 10
TARGETS = (Target("run", "hepto", TARGET_SECONDS, 1.0), Target("run", "hepto", KINSHIP_SECONDS, 1.0))


def plan(nodes: int, seconds: float, seed: int) -> Plan:
    """Kills spread over the nodes, and over the first half of the run."""
    kills = (f"{seconds * (1 + turn) / 22:.3f}s:{turn * nodes // KILLS}" for turn in range(KILLS))
    return Plan(nodes, seed, seconds, faults=tuple(parse(Kind.KILL, text) for text in kills))


def measure(wanted: Plan) -> list[Row]:
    """One run."""
    began = time.process_time()
    simulation = Simulation(wanted)
    simulation.clock.run(0.0)
    ready = time.process_time()
    for _ in simulation.steps():
        pass
    ended = time.process_time()
    found = figures.measure(simulation.outcome())
    rows = [Row("hepto", "make", ready - began, "s"), Row("hepto", "run", ended - ready, "s")]
    rows.append(Row("hepto", "false deaths", found.false_deaths, ""))
    if found.noticed.p50 is not None:
        rows.append(Row("hepto", "noticed (p50)", found.noticed.p50, "s"))
    return rows


def main(arguments: list[str]) -> int:
    """A few runs, each with its own seed."""
    parser = argparse.ArgumentParser(prog="bench.gossip_sim")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args(arguments)
    rows: list[Row] = []
    for seed in range(given.runs):
        rows += measure(plan(given.nodes, given.seconds, seed))
        report.save("gossip_sim", rows)
    report.finish("gossip_sim", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
