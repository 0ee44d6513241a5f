"""`hepto sim`: a simulated cluster. Parses, runs hepto.sim, prints; decides nothing."""

import contextlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepto.cli.output import print_json, print_table
from hepto.errors import ExitCode, UserError

if TYPE_CHECKING:
    from hepto.sim.faults import Fault
    from hepto.sim.plan import Plan
    from hepto.sim.report import Figures
    from hepto.sim.simulation import Outcome

QUIET_SECONDS = 2.0
"""A run that takes longer shows how far it is."""
BAR_CELLS = 24
LEAST_SECONDS = 60.0
LARGEST_SEED = 2**32

MACHINE_FAULTS = {
    "kill": ("WHEN:NODES", "End processes; of a while, start them again at its end."),
    "unplug": ("WHEN:NODES", "End machines without a word; of a while, as --kill."),
    "pause": ("A..B:NODES[@T/T]", "Stop processes for a while, or for a share of it such as 5s/6s."),
    "partition": ("A..B:NODES[>NODES]", "Cut nodes off from all others, or (>) one way from some."),
    "restart": ("WHEN:NODES", "End processes and start them at once."),
    "renumber": ("WHEN:NODES", "Give nodes another address."),
}
WEATHER = {
    "loss": ("[A..B:]RATE", "Lose datagrams, such as 2%."),
    "latency": ("[A..B:]T..T", "Links as long as this, such as 40ms..300ms."),
    "duplicate": ("[A..B:]RATE", "Deliver datagrams twice."),
    "reorder": ("[A..B:]RATE", "Hold datagrams back."),
    "corrupt": ("[A..B:]RATE", "Change a byte of datagrams."),
}


def _fault_options(function: Any) -> Any:  # Any: as click types its decorators
    for name, (metavar, text) in reversed({**MACHINE_FAULTS, **WEATHER}.items()):
        function = click.option(f"--{name}", multiple=True, metavar=metavar, help=text)(function)
    return function


@click.command()
@click.option("--nodes", type=click.IntRange(1, 5000), default=20, show_default=True, help="Size of the cluster.")
@click.option(
    "--until", metavar="TIME", help="Length of the run; by default a minute, or until faults should be healed."
)
@click.option("--profile", type=click.Choice(["lan", "wan", "local"]), default="lan", show_default=True, help="Timing.")
@_fault_options
@click.option("--strangers", is_flag=True, help="Nodes know only the anchors at the beginning.")
@click.option("--exact", is_flag=True, help="Encode, seal and read streams too, instead of handing messages over.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), help="What chance follows from. Drawn if not given.")
@click.option("--runs", type=click.IntRange(1, 10_000), default=1, show_default=True, help="So many seeds in a row.")
@click.option("--check", is_flag=True, help="Fail if views do not become equal, or if a healthy node is held for dead.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw who believed what when (last run).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(nodes: int, profile: str, as_json: bool, **given: Any) -> ExitCode:
    """Run a cluster of simulated nodes: the production gossip code, under a virtual clock.

    TIME is 500ms, 12s, 5m or 1h; WHEN is a TIME or TIME..TIME; NODES is all, 7, 0-4 or 0-4,9. Options of faults may be
    repeated. A run is repeated exactly by its seed.

    \b
    Examples:
      hepto sim --kill 10s:7
      hepto sim --nodes 50 --loss 2% --partition 10s..40s:0-4 --check --svg run.svg
      hepto sim --nodes 20 --unplug 5s..60s:all --renumber 30s:all --check
      hepto sim --profile wan --latency 40ms..300ms --loss 5% --pause 10s..70s:1-3@5s/6s --runs 10
    """
    from hepto.sim import report, svg

    first = secrets.randbelow(LARGEST_SEED) if given["seed"] is None else given["seed"]
    plans = _plans(nodes, profile, range(first, first + given["runs"]), given)
    results = []
    for plan in plans:
        outcome = _run(plan)
        figures = report.measure(outcome)
        results.append((plan, figures, report.broken(outcome, figures) if given["check"] else []))
        if given["svg"] and plan is plans[-1]:
            given["svg"].write_text(svg.draw(plan, outcome.timeline))
    if as_json:
        print_json([_json(*result) for result in results])
    else:
        _print(results)
    for plan, _, sentences in results:
        for sentence in sentences:
            click.echo(f"broken: {sentence}\nreplay: {plan.command()} --check", err=True)
    return ExitCode.FAILED if any(sentences for _, _, sentences in results) else ExitCode.DONE


def _plans(nodes: int, profile: str, seeds: Sequence[int], given: dict[str, Any]) -> "list[Plan]":
    from hepto import durations
    from hepto.sim import faults, report
    from hepto.sim.plan import Plan

    found: list[Fault] = [
        faults.parse(faults.Kind(name), text) for name in (*MACHINE_FAULTS, *WEATHER) for text in given[name]
    ]
    for fault in found:
        faults.check_nodes(fault, nodes)
    plan = Plan(nodes, 0, 0.0, profile, tuple(found), strangers=given["strangers"], exact=given["exact"])
    healed = plan.faults_end() + report.heal_limit(plan)
    until = max(LEAST_SECONDS, healed) if given["until"] is None else faults.parse_time(given["until"], "--until")
    if given["check"] and until < healed:
        what = f"--until {given['until']}: views may differ until {durations.write(healed)}"
        raise UserError(what, "leave out --until, or let the run be as long as that", ExitCode.USAGE)
    from dataclasses import replace

    return [replace(plan, seed=seed, until=until) for seed in seeds]


def _run(plan: "Plan") -> "Outcome":
    """With a bar if it takes long."""
    from hepto.sim.simulation import Simulation

    began = time.monotonic()
    simulation = Simulation(plan)
    with contextlib.ExitStack() as stack:
        progress = None
        for now in simulation.steps():
            if progress is None and time.monotonic() - began > QUIET_SECONDS:
                from hepto.cli.progress import Progress

                progress = Progress()
                stack.enter_context(progress.step(f"Simulate {plan.until:g} s of {plan.nodes} nodes, seed {plan.seed}"))
            if progress is not None:
                progress.detail(bar(now / plan.until))
    return simulation.outcome()


def bar(share: float) -> str:
    """How far something is, 0 to 1."""
    full = round(share * BAR_CELLS)
    return f"{'█' * full}{'░' * (BAR_CELLS - full)} {share:4.0%}"


def _print(results: "Sequence[tuple[Plan, Figures, list[str]]]") -> None:
    from hepto.sim import report

    if len(results) == 1:
        plan, figures, _ = results[0]
        print_table(("", ""), [("seed", str(plan.seed)), *report.rows(figures)])
        return
    headers = ("SEED", *(name.upper() for name, _ in report.rows(results[0][1])))
    print_table(
        headers, [(str(plan.seed), *(text for _, text in report.rows(figures))) for plan, figures, _ in results]
    )


def _json(plan: "Plan", figures: "Figures", sentences: list[str]) -> dict[str, object]:
    return {"seed": plan.seed, "command": plan.command(), **figures.json(), "broken": sentences}
