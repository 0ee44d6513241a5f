"""`hepto gossip` shows what a member answers."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click.testing
import pytest

from hepto.cli import gossip
from hepto.cli.main import main
from hepto.cli.status import ask_agent
from hepto.errors import ExitCode, UserError
from hepto.node import answers

NOW = 1000.0


def member(name: str, status: str = "alive", *history: tuple[float, str, str], **fields: Any) -> dict[str, Any]:
    lines = [{"time": time, "what": what, "why": why} for time, what, why in history]
    address = f"[2001:db8::{len(name)}]:7946"
    known = {"since": 400.0, "incarnation": 7, "round_trip": None, "history": lines}
    return {"name": name, "address": address, "status": status, **known, **fields}


def found(*members: dict[str, Any], now: float = NOW, health: int = 0, **counters: int) -> dict[str, Any]:
    return {"now": now, "name": "one", "health": health, "members": list(members), "counters": counters}


@contextmanager
def answering(path: Path, answer: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """A member's socket."""
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        await answers.serve(answer, str(path))

    task = loop.create_task(serve())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)))
    thread.start()
    while ask_agent(str(path)) is None:
        pass
    yield
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
    loop.close()


def shown(path: Path, *words: str) -> str:
    result = click.testing.CliRunner().invoke(gossip.command, ["--socket", str(path), *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_members_are_a_table_and_a_line_says_how_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    told = found(member("one"), member("two", "dead", round_trip=0.0123), health=2, probes=5)
    with answering(path, lambda: told):
        lines = shown(path).splitlines()

        assert lines[0].split() == ["NAME", "ADDRESS", "STATUS", "SINCE", "INCARNATION", "RTT"]
        assert lines[1].split() == ["one", "[2001:db8::3]:7946", "alive", "10", "min", "7", "-"]
        assert lines[2].split()[-2:] == ["12.3", "ms"]
        assert lines[4] == "1 alive, 1 dead; health of one: 2 (0 is well, 7 worst), 5 probes"
        assert json.loads(shown(path, "--json")) == told


def test_why_tells_the_history(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    two = member("two", "dead", (100.0, "joined", "gossip"), (990.0, "failed", "did not refute"))
    with answering(path, lambda: found(two)):
        lines = shown(path, "--why", "two").splitlines()
        assert lines[0] == "two at [2001:db8::3]:7946 is dead, incarnation 7"
        assert [line.split() for line in lines[1:]] == [
            ["15", "min", "ago", "joined", "gossip"],
            ["10", "s", "ago", "failed", "did", "not", "refute"],
        ]
        assert json.loads(shown(path, "--why", "two", "--json")) == two
        with pytest.raises(UserError, match="no member is called three"):
            shown(path, "--why", "three")


def test_nobody_there_is_told_in_two_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gossip", "--socket", str(tmp_path / "none")]) == ExitCode.UNREACHABLE
    assert "no member answers" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["lines", "JSON"])
def test_a_watcher_is_told_what_changes_from_now_on(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gossip, "POLL_SECONDS", 0.0)
    old, new = (999.0, "joined", "gossip"), (1000.5, "failed", "did not refute")
    pictures = iter([found(member("two", "alive", old)), found(member("two", "dead", old, new), now=1001.0)])

    def answer() -> dict[str, Any]:
        try:
            return next(pictures)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(gossip, "ask", lambda path: answer())

    lines = shown(tmp_path, "--watch", *words).splitlines()

    assert len(lines) == 1
    if words:
        expected = {"name": "two", "age": 0.5, "time": 1000.5, "what": "failed", "why": "did not refute"}
        assert json.loads(lines[0]) == expected
    else:
        assert lines[0].endswith(" two failed (did not refute)")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--bind", "[::1]:7946"], "there is no --key"),
        (["--bind", "::1", "--insecure"], "--bind ::1 is no address"),
        (["--bind", "[::1]:7946", "--insecure", "--anchor", "[::1"], "write [address]:port"),
        (["--bind", "[::1]:7946", "--key", "00" * 32], "--key: it takes @FILE"),
        (["--bind", "[::1]:7946", "--insecure", "--gossip-compat", "serf", "--tag", "a=" + "x" * 500], "at most 512"),
    ],
)
def test_a_mistake_starts_no_member(words: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gossip", "run", "--name", "watcher", *words]) == ExitCode.USAGE
    assert what in capsys.readouterr().err
