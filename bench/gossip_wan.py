"""P6: gossip over a WAN, against Debian's serf with its profile `wan`.

hepto runs in the simulator, production code under a virtual clock: 20 nodes, links of 40 to 300 ms, 1 % and 5 % loss,
two hours, in which ten nodes are killed for five minutes each ("kill -9") or vanish ("host gone"). serf is real, in
namespaces without delay or loss, for not every kernel can add them (netem): that flatters serf, whose probes are never
late.
"""

import argparse

from bench import report
from bench.gossip_detection import SETTLE_SECONDS, Worker, wait
from bench.gossip_systems import SERF_WAN, serf_prepare
from bench.report import Row, Target
from hepto.sim import report as figures
from hepto.sim.faults import Fault, Kind, parse
from hepto.sim.plan import Plan
from hepto.sim.simulation import run

NODES = 20
SECONDS = 7200.0
LOSSES = ("1%", "5%")
ENDS = {"kill -9": Kind.KILL, "host gone": Kind.UNPLUG}
PAUSE_SECONDS = 600
AWAY_SECONDS = 300
SERF_LIMIT_SECONDS = 300.0
TARGETS = (
    Target("kill -9, all", "hepto", "serf", 0.25),
    Target("host gone, all", "hepto", "serf", 0.25),
    Target("false deaths", "hepto", 1.0, 0.0),
)


def plan(end: Kind, loss: str, seconds: float, seed: int) -> Plan:
    """One end every ten minutes, each of another node."""
    ends = [
        parse(end, f"{begin}s..{begin + AWAY_SECONDS}s:{turn % NODES}")
        for turn, begin in enumerate(range(PAUSE_SECONDS, int(seconds) - PAUSE_SECONDS, PAUSE_SECONDS))
    ]
    weather: list[Fault] = [parse(Kind.LATENCY, "40ms..300ms"), parse(Kind.LOSS, loss)]
    return Plan(NODES, seed, seconds, profile="wan", faults=(*weather, *ends))


def measure(kind: str, loss: str, seconds: float, seed: int) -> list[Row]:
    """One simulated run."""
    found = figures.measure(run(plan(ENDS[kind], loss, seconds, seed)))
    rows = [Row("hepto", "false deaths", found.false_deaths, "")]
    if found.noticed_by_all.p50 is not None:
        rows.append(Row("hepto", f"{kind}, all", found.noticed_by_all.p50, "s"))
    return rows


def measure_serf(kills: int) -> list[Row]:
    """So many ends of each kind in a real cluster."""
    serf_prepare()
    worker = Worker(SERF_WAN, NODES)
    rows: list[Row] = []
    try:
        worker.order("up")
        worker.answer()
        wait(SETTLE_SECONDS)
        for turn in range(kills):
            for kind in ENDS:
                worker.order("end", number=3 + turn, kind=kind, limit=SERF_LIMIT_SECONDS)
                rows += [Row("serf", row.what.split(", N=")[0], row.value, row.unit) for row in worker.answer()]
                print(rows[-2], flush=True)
    finally:
        worker.close()
    return rows


def main(arguments: list[str]) -> int:
    """serf first, then the simulations."""
    parser = argparse.ArgumentParser(prog="bench.gossip_wan")
    parser.add_argument("--kills", type=int, default=5, help="ends of each kind in serf's cluster; about a minute each")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each simulated run")
    parser.add_argument("--runs", type=int, default=2, help="simulated runs for each kind and loss")
    given = parser.parse_args(arguments)
    rows = measure_serf(given.kills)
    for seed in range(given.runs):
        for kind in ENDS:
            for loss in LOSSES:
                rows += measure(kind, loss, given.seconds, seed)
                report.save("gossip_wan", rows)
    report.finish("gossip_wan", rows, TARGETS)
    return 0


if __name__ == "__main__":
    report.run(main)
