"""`make system` says in two lines what is missing, and asks apt only as root. Every tool it calls is a script here."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


class Machine:
    """A PATH that begins with scripts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked = directory / "asked"
        self.script("id", "echo 1000")
        self.script("dpkg-query", "echo unknown ok not-installed")
        self.script("apt-get", f"echo apt-get $* >> {self.asked}")

    def script(self, name: str, body: str) -> None:
        (self.directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.directory / name).chmod(0o755)

    def make(self) -> tuple[int, list[str]]:
        """Exit code of `make system`, and what it says."""
        path = f"{self.directory}:{os.environ['PATH']}"
        done = subprocess.run(
            ["make", "--no-print-directory", "system"],
            cwd=ROOT,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stdout == ""
        # make's own last line names the rule that failed.
        return done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_who_is_not_root_is_told_what_is_missing_and_what_to_run(machine: Machine) -> None:
    code, lines = machine.make()

    assert code != 0
    assert len(lines) == 2
    assert lines[0].startswith("These system packages are missing: ca-certificates cpio ")
    assert lines[1].startswith(
        "Run: sudo apt-get update && sudo apt-get install --no-install-recommends ca-certificates"
    )
    assert not machine.asked.exists()


def test_only_what_is_missing_is_named(machine: Machine) -> None:
    machine.script("dpkg-query", 'case "$*" in *cpio) ;; *) echo install ok installed ;; esac')

    _, lines = machine.make()

    assert lines[0] == "These system packages are missing: cpio"


def test_where_nothing_is_missing_nothing_is_said(machine: Machine) -> None:
    machine.script("dpkg-query", "echo install ok installed")

    assert machine.make() == (0, [])
    assert not machine.asked.exists()


def test_root_has_it_installed(machine: Machine) -> None:
    machine.script("id", "echo 0")

    assert machine.make() == (0, [])
    assert [line.split()[2] for line in machine.asked.read_text().splitlines()] == ["update", "install"]


def test_an_apt_that_fails_is_two_lines(machine: Machine) -> None:
    machine.script("id", "echo 0")
    machine.script("apt-get", "exit 100")

    code, lines = machine.make()

    assert code != 0
    assert len(lines) == 2
    assert lines[0].startswith("apt could not install: ca-certificates")
