"""Ctrl-C in a real `hepto build` whose tools are scripts, and the builds after it."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 40.0
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00"
# Both say who they are, and hang as long as there is a file that says so. `go build` leaves half of its output first.
GO = """#!/bin/sh
if [ "$1" = version ]; then echo 'go version go1.26.6 linux/amd64'; exit; fi
while [ "$1" != -o ]; do shift; done
echo half > "$2"
echo go >> {place}/calls
if [ -e {place}/go-hangs ]; then echo $$ > {place}/started; exec tail -f /dev/null; fi
cp {place}/program "$2"
"""
MKOSI = """#!/bin/sh
if [ "$1" = --version ]; then echo 'mkosi 25.3'; exit; fi
echo mkosi >> {place}/calls
if [ -e {place}/mkosi-hangs ]; then echo $$ > {place}/started; exec tail -f /dev/null; fi
echo '‣ the script is no mkosi'
exit 1
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with tools, a cache that lacks nothing but the stack, and where the tools tell what happens."""
    (tmp_path / "bin").mkdir()
    for name, text in (("go", GO), ("mkosi", MKOSI)):
        (tmp_path / "bin" / name).write_text(text.format(place=tmp_path))
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "program").write_bytes(PROGRAM)
    (tmp_path / "program").chmod(0o755)
    os.mkfifo(tmp_path / "started")
    objects = tmp_path / "cache/go-build/objects"
    objects.parent.mkdir(parents=True)
    with objects.open("wb") as file:
        file.truncate(5_000_000_000)  # a hole: so the build asks for little room
    return tmp_path


def build(place: Path) -> "subprocess.Popen[str]":
    names = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "HEPTO_CACHE": str(place / "cache")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "HEPTO_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "hepto", "build", "--output", str(place / "image")],
        cwd=ROOT,
        env=kept | names,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under nohup or behind an & of a shell we ignore it, and so would our children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def until_ended(pid: int) -> None:
    """Until the process is gone, or only waits for its new parent, the machine's init, to look at how it ended."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        assert time.monotonic() < deadline, "the tool goes on"
        select.select([], [], [], 0.02)


def interrupted(place: Path, tool: str) -> str:
    """What a build says that gets SIGINT while `tool` runs, when it is over and the tool is gone."""
    (place / f"{tool}-hangs").touch()
    process = build(place)
    pid = int((place / "started").read_text())  # waits for it
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=LIMIT)
    (place / f"{tool}-hangs").unlink()
    assert process.returncode == 1, error
    until_ended(pid)
    return error


def entries(place: Path) -> list[str]:
    """Whole and half-made directories of the cache, by kind."""
    kinds = (place / "cache").glob("*/*")
    return sorted(
        path.parent.name for path in kinds if path.is_dir() and path.parent.name in ("stack", "tools", "tree")
    )


def test_an_interrupted_build_leaves_nothing_and_the_next_goes_on_where_it_was(place: Path) -> None:
    error = interrupted(place, "go")

    assert error.splitlines()[-2:] == [
        "hepto: stopped before it was done",
        "       start it again; what is half done does not count as done",
    ]
    assert "Traceback" not in error
    assert entries(place) == []

    error = interrupted(place, "mkosi")

    assert "Traceback" not in error
    assert entries(place) == ["stack"], "compiled to the end, and mkosi's half is gone"
    compiled = (place / "calls").read_text().count("go\n")
    assert compiled > 2

    process = build(place)
    _, error = process.communicate(timeout=LIMIT)

    assert process.returncode == 1
    assert "hepto: mkosi failed: the script is no mkosi" in error
    assert (place / "calls").read_text().count("go\n") == compiled, "it is not compiled again"
    assert not (place / "image").exists()
