"""The commands that README.md and docs/ tell people to type, and which tier runs each of them.

A command is a line of four spaces and a program of ours. What stands after `  #` explains it to a reader.
"""

import re
from enum import Enum
from pathlib import Path

from tests import metal
from tests.tiers import FORMATS

ROOT = Path(__file__).parent.parent
PROGRAMS = ("hepto ", "build/venv/bin/hepto ", "make ")


class Where(Enum):
    """Which test runs a command."""

    UNIT = "tests/test_docs.py"
    NODE = "tests/vm/test_2_documentation.py, on the node"
    LAB = "tests/vm/test_2_documentation.py, on the lab"
    POWER = "tests/vm/test_4_power.py"
    CLUSTER = "tests/vm/test_8_cluster.py, in the router's network"
    IMAGE = "tests/image/test_documentation.py, on the built image"
    BUILD = "tests/image/test_reproducible.py, in the long tests"
    METAL = "tests/metal.py, for the long tests"
    BACKUP = "tests/vm/test_9_backup.py, in the router's network"
    HOST = "tests/vm/test_8_host.py, on a Debian server"
    INSTALL = "tests/vm/test_6_install.py, in the long tests"
    MAKE = "continuous integration, and whoever follows the README"


def commands() -> list[str]:
    """All commands, without repetitions, in the order in which they are met."""
    found: dict[str, None] = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for line in page.read_text().splitlines():
            text = re.split(r"\s{2,}#", line.strip())[0]
            if line.startswith("    ") and text.startswith(PROGRAMS):
                found[text] = None
    return list(found)


def where(command: str) -> Where | None:
    """The tier that runs it; None if none does."""
    words = command.removeprefix("build/venv/bin/").split()
    match words:
        case ["make", "run", *_] | ["make", "test" | "check" | "image" | "bench"]:
            return Where.MAKE
        case ["make", target] if target.startswith(("test-", "bench-")):
            return Where.MAKE
        case ["hepto", "info", "--machine"]:
            return Where.NODE
        case ["hepto", "info" | "key" | "options" | "cmdline" | "completion" | "sim", *_]:
            return Where.UNIT
        case ["hepto", "build", *words]:
            return _build(words)
        case ["hepto", "node" | "kubeconfig" | "status" | "logs" | "service" | "boot-chart", *_] if "--anchor" in words:
            return Where.CLUSTER
        case ["hepto", "backup", *_] if "--anchor" in words:
            return Where.BACKUP
        case ["hepto", "status" | "logs" | "gossip" | "boot-chart" | "backup", *_] | [
            "hepto",
            "service",
            "list" | "crashes",
        ]:
            return Where.NODE
        case ["hepto", "service", "poweroff" | "reboot"]:
            return Where.POWER
        case ["hepto", "install" | "lab" as verb, *_]:
            return {"install": Where.INSTALL, "lab": Where.LAB}[verb]
        case ["hepto", "start" | "stop" | "list", *_]:
            return Where.HOST
        case _:
            return None


def _build(words: list[str]) -> Where | None:
    match words:
        case ["--format", formats] if formats == FORMATS:
            return Where.MAKE
        case ["--archive" | "--locked", _]:
            return Where.BUILD
        case _ if words == list(metal.WORDS):
            return Where.METAL
        case _:
            return Where.IMAGE if {"--report", "--licences"} & set(words) else None
