"""Run tiers of tests one after another and say how long each took: `python -m tests.tiers unit interop vm`.

The image is built once, before the first tier that needs it. All tiers run even if one fails, so that one run tells
everything; the exit code is 1 if anything failed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
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
FLAGS = {
    # These tests share no file, and the kernel chooses their ports. Others own namespaces, or whole machines.
    "unit": ("-n", "auto"),
}
AGAIN = {
    # What properties hold for many more examples takes minutes as well.
    "long": ("-n", "auto", "--timeout=600", "--hypothesis-profile=long", "-m", TIERS["unit"]),
}
FORMATS = "netboot,disk,uki"
"""All that machines are started from."""
NEED_IMAGE = ("image", "vm", "long")


def run(argv: list[str], environment: Mapping[str, str] = os.environ) -> bool:
    """Run a command with the output going to ours; true if it succeeded."""
    print("+ " + " ".join(argv), flush=True)
    return subprocess.run(argv, cwd=ROOT, env=environment, check=False).returncode == 0


def pytest(*flags: str) -> bool:
    """Run tests; true if they passed.

    What they are compiled to is kept, whatever the user's own rule for that is: to rewrite all assertions takes each
    process as long as a tenth of the unit tier.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "pycache")
    return run([sys.executable, "-m", "pytest", "-q", *flags, "tests"], environment)


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
            built = run([sys.executable, "-m", "hepto", "build", "--output", str(IMAGE), "--format", FORMATS])
            results.append(("set-up", built, time.monotonic() - begin))
        if tier in NEED_IMAGE and not all(passed for name, passed, _ in results if name == "set-up"):
            results.append((tier, False, 0.0))
            continue
        begin = time.monotonic()
        passed = pytest("-m", TIERS[tier], *FLAGS.get(tier, ()))
        if tier in AGAIN:
            passed = pytest(*AGAIN[tier]) and passed
        results.append((tier, passed, time.monotonic() - begin))
    print()
    for tier, passed, seconds in results:
        print(f"{tier:8} {'passed' if passed else 'FAILED'} in {seconds:6.1f} s")
    failed = sum(not passed for _, passed, _ in results)
    print(f"tiers: {len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
