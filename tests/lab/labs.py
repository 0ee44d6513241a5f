"""Whole labs whose machines are no QEMU (fake_qemu.py), for the kernel tier."""

import json
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hepto.lab import spec
from hepto.lab.client import LabClient

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LIMIT = 20.0


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:.0f} s: {what}"
        select.select([], [], [], 0.02)


def lab(name: str = "test", *further: str) -> spec.Lab:
    """One node, and others without a disk and a key."""
    fake = spec.Emulator((sys.executable, str(HERE / "fake_qemu.py")), (("PYTHONPATH", str(ROOT)),), (10, 0))
    one = spec.Node("one", credentials=(("hepto.key", "5ec4e7"),), disk=16)
    return spec.Lab(name, "/image", fake, (one, *(spec.Node(name, disk=0) for name in further)))


def host_on_the_bridge(made: LabClient, bridge: str = "lab0", prefix: str = "2001:db8:1:") -> dict[str, Any]:
    """What a host sees that is put on a bridge where this prefix is advertised."""
    script = str(HERE / "host_on_the_bridge.py")
    done = made.run("router", sys.executable, script, bridge, prefix, timeout=60)
    assert done.status == 0, done.stderr.decode()
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
