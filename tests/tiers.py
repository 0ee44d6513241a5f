"""Run tiers of tests one after another and say how long each took: `python -m tests.tiers unit interop vm`.

The image is built once, before the first tier that needs it. All tiers run even if one fails, so that one run tells
everything; the exit code is 1 if anything failed.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGE = ROOT / "build" / "image"
TIERS = {
    "unit": "not kernel and not interop and not vm and not image and not long",
    "kernel": "kernel and not long",
    "interop": "interop and not long",
    "image": "image and not long",
    "vm": "vm and not long",
    "long": "long",
}
NEED_IMAGE = ("image", "vm", "long")


def run(argv: list[str]) -> bool:
    """Run a command with the output going to ours; true if it succeeded."""
    print("+ " + " ".join(argv), flush=True)
    return subprocess.run(argv, cwd=ROOT, check=False).returncode == 0


def main(tiers: list[str]) -> int:
    """Run the tiers named; 0 if all passed."""
    unknown = [tier for tier in tiers if tier not in TIERS]
    if unknown or not tiers:
        print(f"There is no tier {', '.join(unknown) or 'named'}.\nName some of: {', '.join(TIERS)}.", file=sys.stderr)
        return 2
    results: list[tuple[str, bool, float]] = []
    for tier in tiers:
        if tier in NEED_IMAGE and not any(name == "set-up" for name, _, _ in results):
            begin = time.monotonic()
            built = run([sys.executable, "-m", "hepto", "build", "--output", str(IMAGE)])
            results.append(("set-up", built, time.monotonic() - begin))
        if tier in NEED_IMAGE and not all(passed for name, passed, _ in results if name == "set-up"):
            results.append((tier, False, 0.0))
            continue
        begin = time.monotonic()
        passed = run([sys.executable, "-m", "pytest", "-q", "-m", TIERS[tier], "tests"])
        results.append((tier, passed, time.monotonic() - begin))
    print()
    for tier, passed, seconds in results:
        print(f"{tier:8} {'passed' if passed else 'FAILED'} in {seconds:6.1f} s")
    failed = sum(not passed for _, passed, _ in results)
    print(f"tiers: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
