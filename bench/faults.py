"""R1 and R2: an exception at every call of PID 1 and of the agent's drivers, and kill -9 of each service 100 times.

Every call expression is found in the syntax tree; a survey tells which of them a machine in namespaces reaches, and in
which story. Then each is made to raise there, one after another, and after each has to hold: PID 1 is the same process
and answers, no service's process is touched or doubled, no log line is lost; a shutdown ends the machine all the same,
and an agent that has crashed is back as it was (tests/kernel/faults). Calls that need a machine of its own, with block
devices, firmware and modules, are not reached and are listed with that.

    survived       calls that were made to raise and after which all of this held
    back again     seconds from a signal that kills the agent until it answers with what it knew before

There is no baseline to measure: by its documentation systemd freezes when it has crashed (CrashReboot=, CrashShell= in
systemd-system.conf(5)); a crash of PID 1's own interpreter is a kernel panic here too, and out of scope.
The table of all calls is build/bench/faults_calls.csv.
"""

import argparse
import csv
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench import report
from bench.report import Row
from hepto.errors import UserError
from tests.kernel import machine
from tests.kernel.faults import agent_scene, campaign, kills, sites
from tests.kernel.faults.campaign import NOT_REACHED, SURVIVED, Outcome
from tests.kernel.faults.kills import Tally
from tests.kernel.faults.sites import AGENT, PID1, Site

CALLS = "faults_calls.csv"
COLUMNS = ("site", "function", "call", "exception", "story", "result", "seconds", "detail")
WHO = {PID1: "PID 1", AGENT: "agent"}
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)
PATIENCE = 60.0
"""Seconds until something counts as never coming: the machine may be busy with other things."""
MOST_DETAIL = 2000
LEAST_CALLS = 1000
BACK_SECONDS = 1.0


class Table:
    """The rows of all calls, written as they come: hours of work are not lost with the last of them."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def add(self, outcome: Outcome) -> None:
        """One call, and what came of it."""
        site, detail = outcome.site, outcome.detail[:MOST_DETAIL]
        words = (site.name, site.function, site.call, outcome.error, outcome.story, outcome.result)
        self._writer.writerow((*words, f"{outcome.seconds:.2f}", detail))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def of(who: str, found: Iterable[Site]) -> list[Site]:
    """The calls of PID 1, or of the agent."""
    return [site for site in found if site.path.startswith(f"{who}/")]


def injected(directory: Path, found: list[Site], every: dict[str, int], turn: int) -> Iterator[Outcome]:
    """Every call that is reached (of many, every so many-th), and those that are not, as such."""
    told = campaign.survey(directory, of(PID1, found))
    started = agent_scene.survey(directory / "agent", of(AGENT, found))
    yield from (Outcome(site, "", "", NOT_REACHED, 0.0) for site in found if site not in {*told, *started})
    yield from campaign.campaign(directory, dict(list(told.items())[:: every[PID1]]), turn)
    yield from agent_scene.campaign(directory, started[:: every[AGENT]], turn)


def summary(outcomes: Sequence[Outcome], found: Sequence[Site]) -> list[Row]:
    """How many calls there are, were made to raise, and did no harm."""
    rows = []
    for who, name in WHO.items():
        results = Counter(outcome.result for outcome in outcomes if outcome.site.path.startswith(f"{who}/"))
        raised = sum(number for result, number in results.items() if result != NOT_REACHED)
        rows.append(Row(name, "calls", len(of(who, found)), ""))
        rows.append(Row(name, "made to raise", raised, ""))
        rows.append(Row(name, "survived", results[SURVIVED], ""))
    return rows


def signalled(directory: Path, times: int) -> list[Row]:
    """The agent ended by signals."""
    with agent_scene.agent_scene(directory) as stage:
        return [
            Row(number.name, "agent back again", stage.end(number), "s") for _ in range(times) for number in SIGNALS
        ]


def tallied(tallies: Sequence[Tally]) -> list[Row]:
    """Kills, restarts and lines of each service."""
    return [
        row
        for tally in tallies
        for row in (
            Row(tally.service, "kills", tally.kills, ""),
            Row(tally.service, "starts behind the first", tally.starts - 1, ""),
            Row(tally.service, "lines written", tally.lines, ""),
            Row(tally.service, "lines lost or wrong", tally.lost + len(tally.wrong), ""),
        )
    ]


def verdicts(rows: Sequence[Row], down: Sequence[str]) -> list[str]:
    """A line for each target; `down` are the services that did not come up again."""

    def total(what: str) -> int:
        return int(sum(row.value for row in rows if row.what == what))

    def word(*, good: bool) -> str:
        return "reached" if good else "MISSED"

    raised, survived = total("made to raise"), total("survived")
    back = [row.value for row in rows if row.what == "agent back again"]
    killed, lost = total("kills"), total("lines lost or wrong")
    found = []
    if raised:
        good = word(good=raised == survived and raised >= LEAST_CALLS)
        found.append(f"exceptions survived: {survived} of {raised} (target all of {LEAST_CALLS} and more): {good}")
    if back:
        good = word(good=max(back) <= BACK_SECONDS)
        found.append(f"agent back after a signal: {max(back):.2f} s at most (target <= {BACK_SECONDS:.2f}): {good}")
    if killed:
        good = word(good=not down and not lost)
        found.append(f"{killed} kills: {len(down)} services down, {lost} lines lost (target 0, 0): {good}")
    return found


def main(arguments: list[str]) -> int:
    """All calls, then signals, then kills; 1 if anything did not survive."""
    parser = argparse.ArgumentParser(prog="bench.faults")
    parser.add_argument("--every", type=int, default=1, help="of PID 1's calls, every so many-th")
    parser.add_argument("--every-of-agent", type=int, default=1, help="the same of the agent's: each takes seconds")
    parser.add_argument("--turn", type=int, default=0, help="another number: other exceptions")
    parser.add_argument("--signals", type=int, default=10, help="how often the agent is ended by each of three signals")
    parser.add_argument("--kills", type=int, default=100, help="of each service")
    parser.add_argument("--seed", type=int, default=1, help="of the instants of the kills")
    parser.add_argument("--only", choices=("calls", "signals", "kills"))
    given = parser.parse_args(arguments)
    if os.geteuid() != 0:
        raise UserError("bench.faults needs root", "run it with sudo, or as root of a container")
    machine.PATIENCE = PATIENCE
    rows: list[Row] = []
    down: list[str] = []
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="hepto") as name:
        directory = Path(name)
        if given.only in (None, "calls"):
            outcomes = _calls(directory, {PID1: given.every, AGENT: given.every_of_agent}, given.turn, rows)
            wrong += sum(outcome.failed for outcome in outcomes)
        if given.only in (None, "signals"):
            rows += signalled(directory / "signals", given.signals)
        if given.only in (None, "kills"):
            (directory / "kills").mkdir()
            tallies = kills.kill_each(directory / "kills", given.kills, given.seed)
            rows += tallied(tallies)
            down = [tally.service for tally in tallies if tally.state != "ready"]
            wrong += len(down) + sum(tally.lost + len(tally.wrong) for tally in tallies)
    report.show(rows)
    report.conclude("faults", rows, verdicts(rows, down))
    return 1 if wrong else 0


def _calls(directory: Path, every: dict[str, int], turn: int, rows: list[Row]) -> list[Outcome]:
    found, outcomes = sites.sites(), []
    table = Table(report.RESULTS / CALLS)
    try:
        for outcome in injected(directory, found, every, turn):
            outcomes.append(outcome)
            table.add(outcome)
            if outcome.failed:
                print(f"{outcome.site.name} {outcome.error} in {outcome.story}: {outcome.result}", flush=True)
    finally:
        table.close()
    missed = Counter(outcome.site.path for outcome in outcomes if outcome.result == NOT_REACHED)
    print("not reached:", ", ".join(f"{path} {number}" for path, number in missed.most_common()))
    rows += summary(outcomes, found)
    return outcomes


if __name__ == "__main__":
    report.run(main)
