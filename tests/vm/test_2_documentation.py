"""What the documentation tells people to type on a node or a lab works there."""

import shlex
import subprocess
import sys

import pytest

from tests.documentation import Where, commands, where
from tests.vm.harness import LIMIT, Node

pytestmark = [pytest.mark.vm, pytest.mark.timeout(400, func_only=True)]


@pytest.mark.parametrize("command", [command for command in commands() if where(command) is Where.NODE])
def test_it_works_on_a_node(node: Node, command: str) -> None:
    _, *arguments = shlex.split(command)

    done = node.run("/usr/bin/hepto", *arguments)

    assert done.status == 0, done.stderr
    assert done.text.strip()


CHANGING = ("up", "down", "demo", "fault", "power")
"""What the other tests do through the same functions, on labs of their own."""


@pytest.mark.parametrize(
    "command",
    [command for command in commands() if where(command) is Where.LAB and command.split()[2] not in CHANGING],
)
def test_it_works_on_a_lab(node: Node, command: str) -> None:
    before, separator, after = command.removeprefix("build/venv/bin/").partition(" -- ")
    _, lab, verb, *rest = before.split()
    words = [lab, verb, "--name", node.connection.where.name, *rest, *([separator.strip()] if separator else [])]

    done = subprocess.run(
        [sys.executable, "-m", "hepto", *words, *shlex.split(after)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).strip()  # kubectl says on stderr that there are no pods
