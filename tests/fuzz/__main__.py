"""Fuzz gossip's packets and streams, and backups; an input that fails is run again by --replay TARGET:SETTINGS:HEX."""

import argparse
import sys
import time
import traceback

from tests.fuzz import backups
from tests.fuzz.corpus import SETTINGS
from tests.fuzz.run import Finding, fuzz
from tests.fuzz.targets import TARGETS

PROGRESS_SECONDS = 10


def main(arguments: list[str]) -> int:
    """Fuzz or replay; 1 if an input broke the promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (default: %(default)s)")
    parser.add_argument("--target", choices=[*TARGETS, *backups.TARGETS, "all"], default="all")
    parser.add_argument("--replay", metavar="TARGET:SETTINGS:HEX", help="one input again")
    options = parser.parse_args(arguments)
    if options.replay:
        return replay(options.replay)
    targets = [*TARGETS, *backups.TARGETS] if options.target == "all" else [options.target]
    return max(_one(target, options.count // len(targets), options.seed) for target in targets)


def _one(target: str, count: int, seed: int) -> int:
    if target in TARGETS:
        return run(target, count, seed)
    outcomes = backups.fuzz(target, count, seed)
    print(f"{target}: {count} inputs, {len(outcomes)} outcomes; nothing broke the promise")
    return 0


def run(target: str, count: int, seed: int) -> int:
    """One target; prints how far it has come, what came of the inputs, and the input that failed."""
    begin = shown = time.monotonic()
    outcomes: dict[str, int] = {}
    slowest = 0.0
    last = begin
    for done, (outcome, finding) in enumerate(fuzz(target, count, seed), 1):
        now = time.monotonic()
        slowest, last = max(slowest, now - last), now
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if finding is not None:
            return failed(finding)
        if now - shown >= PROGRESS_SECONDS:
            shown = now
            print(f"{target}: {done} of {count}, {done / (now - begin):.0f}/s", flush=True)
    seconds = time.monotonic() - begin
    rare = sum(1 for times in outcomes.values() if times < count / 10_000)
    print(f"{target}: {count} inputs in {seconds:.1f} s, {len(outcomes)} outcomes, {rare} of them rare")
    print(f"{target}: the slowest took {slowest * 1e3:.1f} ms; nothing broke the promise")
    for outcome, times in sorted(outcomes.items(), key=lambda item: -item[1])[:12]:
        print(f"  {times:8} {outcome or '(nothing)'}")
    return 0


def failed(finding: Finding) -> int:
    """Say which input it was and how to see it again."""
    print(finding.error, file=sys.stderr)
    print(
        f"Again: python -m tests.fuzz --replay {finding.target}:{finding.settings}:{finding.data.hex()}",
        file=sys.stderr,
    )
    return 1


def replay(text: str) -> int:
    """One input; prints what becomes of it."""
    target, settings, data = text.split(":")
    try:
        found = bytes.fromhex(data)
        print(
            backups.TARGETS[target](found) if target in backups.TARGETS else TARGETS[target](SETTINGS[settings], found)
        )
    except Exception:  # noqa: BLE001 - that anything may come is what fuzzing is about
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
