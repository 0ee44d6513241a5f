"""A member that runs alone: lines for what changes, a socket to ask, an end by signal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hepto.cli.gossip import ask
from hepto.gossip import store
from tests.gossip.test_driver import free_port

ROOT = Path(__file__).parents[2]


class Member:
    """A process."""

    def __init__(self, process: "subprocess.Popen[str]", port: int):
        self.process = process
        self.port = port

    def until(self, change: str, name: str) -> dict[str, Any]:
        """The line that says so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            news: dict[str, Any] = json.loads(line)
            if (news["change"], news["name"]) == (change, name):
                return news
        raise AssertionError(f"it has ended and never said {change} {name}")

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


@contextmanager
def running(name: str, *words: str) -> Iterator[Member]:
    port = free_port()
    argv = [sys.executable, "-m", "hepto", "gossip", "run", "--name", name, "--bind", f"[::1]:{port}", "--json"]
    with subprocess.Popen(
        [*argv, "--profile", "local", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            member = Member(process, port)
            member.until("started", name)
            yield member
        finally:
            process.kill()


def test_it_tells_who_comes_and_goes_and_can_be_asked(tmp_path: Path) -> None:
    key, path, state = tmp_path / "key", tmp_path / "sock", tmp_path / "state.json"
    key.write_text("00" * 32)
    with ExitStack() as stack:
        one = stack.enter_context(running("one", "--key", f"@{key}", "--socket", str(path), "--state", str(state)))
        two = stack.enter_context(running("two", "--key", f"@{key}", "--anchor", f"[::1]:{one.port}"))

        assert one.until("joined", "two")["address"] == f"[::1]:{two.port}"
        assert {member["name"]: member["status"] for member in ask(str(path))["members"]}["two"] == "alive"
        key.write_text("11" * 32 + "," + "00" * 32)
        os.kill(one.process.pid, signal.SIGHUP)
        two.until("joined", "one")
        assert two.end(signal.SIGINT) == 0
        one.until("left", "two")
        assert one.end(signal.SIGTERM) == 0

    remembered, complaint = store.decode(state.read_bytes())
    assert complaint == ""
    assert remembered.incarnation > 1_700_000_000
