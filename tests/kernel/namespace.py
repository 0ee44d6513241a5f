"""Runs a function of a test module as root of a mount namespace of its own, where it may mount what it likes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def alone(function: Callable[..., None], *arguments: object, seconds: float = 60.0) -> str:
    """Run `function` with these arguments, as texts, in a new process; its output, or AssertionError with what it
    said."""
    script = f"import sys; from {function.__module__} import {function.__name__} as run; run(*sys.argv[1:])"
    texts = [str(argument) for argument in arguments]
    result = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script, *texts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def mounts(below: str) -> list[tuple[str, str, str]]:
    """(mount point, file system, peer group) of all mounts at or below a path, in the order they were made."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        separator = fields.index("-")
        if fields[4] == below or fields[4].startswith(f"{below}/"):
            group = next((item for item in fields[6:separator] if item.startswith("shared:")), "")
            found.append((fields[4], fields[separator + 1], group))
    return found
