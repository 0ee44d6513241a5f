"""Raw rows to a CSV, medians and ratios to the terminal: what every benchmark ends with.

Beside NAME.csv is NAME.json: what was said of the rows, and on what they were measured. `load` reads both again.
"""

import csv
import datetime
import json
import math
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hepto.cli.failure import guard, is_ours
from hepto.edge.command import CommandFailedError
from hepto.edge.command import run as run_command

RESULTS = Path(__file__).parent.parent / "build" / "bench"


@dataclass(frozen=True)
class Row:
    """One measured value of one variant."""

    variant: str
    what: str
    value: float
    unit: str


@dataclass(frozen=True)
class Target:
    """The median of `subject` divided by that of `baseline` (a variant, or a number) is to be `limit` or less."""

    what: str
    subject: str
    baseline: str | float
    limit: float


@dataclass(frozen=True)
class Result:
    """What a finished benchmark has left."""

    rows: tuple[Row, ...]
    verdicts: tuple[str, ...]
    """A line a target."""
    at: str
    """The day, as in 2026-01-31."""
    commit: str
    """Of hepto; "" if it is not known, with a `+` if files had been changed since."""
    processors: int
    load: float
    """Of the host, one minute, when all was measured."""


def save(name: str, rows: Sequence[Row]) -> Path:
    """Write all rows to build/bench/NAME.csv. Until `conclude` was told what they say, `load` knows nothing of them."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").unlink(missing_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("variant", "what", "value", "unit"))
        writer.writerows((row.variant, row.what, row.value, row.unit) for row in rows)
    return path


def median(rows: Sequence[Row], variant: str, what: str) -> float:
    """The median of what was measured. Raises StatisticsError when nothing was."""
    return statistics.median(row.value for row in rows if (row.variant, row.what) == (variant, what))


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest rank: the smallest of the values that is at or above `part` (0-1) of all."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def verdict(rows: Sequence[Row], target: Target) -> str:
    """One line: the ratio, the limit, and whether it was reached or missed; or that one of both was not measured."""
    name = f"{target.baseline:g}" if isinstance(target.baseline, float) else target.baseline
    compared = f"{target.what}: {target.subject} / {name}"
    try:
        subject = median(rows, target.subject, target.what)
        baseline = target.baseline if isinstance(target.baseline, float) else median(rows, target.baseline, target.what)
    except statistics.StatisticsError:
        return f"{compared}: not measured"
    ratio = subject / baseline
    word = "reached" if ratio <= target.limit else "MISSED"
    return f"{compared} = {ratio:.2f} (target <= {target.limit:.2f}): {word}"


def load(name: str) -> Result | None:
    """What `conclude` has saved; None if there is nothing. Raises ValueError and KeyError for what it did not write."""
    try:
        with (RESULTS / f"{name}.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        about = json.loads((RESULTS / f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    rows = tuple(Row(line["variant"], line["what"], float(line["value"]), line["unit"]) for line in lines)
    return Result(rows, tuple(about.pop("verdicts")), **about)


def finish(name: str, rows: Sequence[Row], targets: Sequence[Target]) -> None:
    """Save the rows, print the medians of each variant and a verdict per target."""
    show(rows)
    conclude(name, rows, [verdict(rows, target) for target in targets])


def show(rows: Sequence[Row]) -> None:
    """Print the medians of each variant."""
    for variant, what, unit in dict.fromkeys((row.variant, row.what, row.unit) for row in rows):
        values = [row.value for row in rows if (row.variant, row.what) == (variant, what)]
        print(f"{what:28} {variant:26} {statistics.median(values):10.2f} {unit:4} (of {len(values)})")


def conclude(name: str, rows: Sequence[Row], verdicts: Sequence[str]) -> None:
    """Save the rows, print the verdicts and keep them for `load`."""
    path = save(name, rows)
    about = {
        "verdicts": list(verdicts),
        "at": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": _commit(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    print(*verdicts, f"raw rows: {path}", sep="\n")


def _commit() -> str:
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        return run_command(words).strip()
    except (CommandFailedError, OSError):  # not a checkout
        return ""


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """What a benchmark's file ends with: call it with the command line's words, and fail as every command does."""
    sys.exit(guard(lambda: main(sys.argv[1:]), wants_traceback=is_ours))
