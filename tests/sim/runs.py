"""Runs of the production core, in one line each; a failure says how to see it again."""

from hepto.sim import report
from hepto.sim.faults import Fault, Kind, parse
from hepto.sim.plan import Plan
from hepto.sim.report import Figures
from hepto.sim.simulation import run


def faults(**texts: str) -> tuple[Fault, ...]:
    """`faults(kill="10s:7", loss="2%")`; several of a kind with a space between."""
    return tuple(parse(Kind(kind), text) for kind, several in texts.items() for text in several.split())


def kept(plan: Plan) -> Figures:
    """The figures of a run that keeps all its promises; one that breaks some fails with the command that shows it."""
    outcome = run(plan)
    figures = report.measure(outcome)
    broken = report.broken(outcome, figures)
    assert not broken, "\n".join([*broken, f"replay: {plan.command()} --check"])
    return figures


def healed(plan: Plan) -> Plan:
    """The same, as long as views may take to become equal after its faults."""
    from dataclasses import replace

    return replace(plan, until=plan.faults_end() + report.heal_limit(plan))
