"""Raw rows to a CSV, medians and ratios to the terminal: what every benchmark ends with."""

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def save(name: str, rows: Sequence[Row]) -> Path:
    """Write all rows to build/bench/NAME.csv."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("variant", "what", "value", "unit"))
        writer.writerows((row.variant, row.what, row.value, row.unit) for row in rows)
    return path


def median(rows: Sequence[Row], variant: str, what: str) -> float:
    """The median of what was measured. Raises StatisticsError when nothing was."""
    return statistics.median(row.value for row in rows if (row.variant, row.what) == (variant, what))


def verdict(rows: Sequence[Row], target: Target) -> str:
    """One line: the ratio, the limit, and whether it was reached or missed."""
    subject = median(rows, target.subject, target.what)
    baseline = target.baseline if isinstance(target.baseline, float) else median(rows, target.baseline, target.what)
    ratio = subject / baseline
    word = "reached" if ratio <= target.limit else "MISSED"
    name = f"{target.baseline:g}" if isinstance(target.baseline, float) else target.baseline
    return f"{target.what}: {target.subject} / {name} = {ratio:.2f} (target <= {target.limit:.2f}): {word}"


def finish(name: str, rows: Sequence[Row], targets: Sequence[Target]) -> None:
    """Save the rows, print the medians of each variant and a verdict per target."""
    path = save(name, rows)
    for variant, what, unit in dict.fromkeys((row.variant, row.what, row.unit) for row in rows):
        values = [row.value for row in rows if (row.variant, row.what) == (variant, what)]
        print(f"{what:28} {variant:26} {statistics.median(values):10.2f} {unit:4} (of {len(values)})")
    for target in targets:
        print(verdict(rows, target))
    print(f"raw rows: {path}")
