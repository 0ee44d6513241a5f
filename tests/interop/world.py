"""Clusters of Debian's serf agents and members of ours, in namespaces of their own, told by what each prints.

`together` runs a test in a process with network and PID namespaces of its own: every member has an address, and nothing
outlives the test. Waiting ends as soon as what is waited for was printed, or fails after PATIENCE seconds with the last
lines of everybody. When a test is through, no agent may have logged an error, but for those that it expects and those
about members that it ended.
"""

import base64
import importlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bench import gossip_network
from bench.gossip_network import address
from bench.gossip_serf import RELEASES, ensure_serf
from bench.gossip_systems import hepto_parse, serf_parse
from bench.gossip_views import Sight, What
from hepto.cli.gossip import ask
from hepto.edge.cache import cache_directory
from hepto.errors import UserError
from hepto.gossip.reasons import Reason
from hepto.lab.keeper import unshare_argv

ROOT = Path(__file__).parents[2]
ADDRESSES = 40
PATIENCE = 150.0
"""An agent that has missed some news hears it with the next push/pull, which among forty takes up to 90 s."""
TEST_SECONDS = 300.0
POLL_SECONDS = 0.1
"""For what is announced nowhere."""
READ_BYTES = 65536
SHOWN_LINES = 40
SHOWN_MEMBERS = 4
ERROR = re.compile(r"\[ERR\]|^panic:|^fatal error:|^Traceback")
OLD, NEW = RELEASES
"""The Debian releases whose serf is tried."""


class Key:
    """A new one, in both spellings."""

    def __init__(self, size: int = 32):
        key = os.urandom(size)
        self.hex = key.hex()
        self.base64 = base64.b64encode(key).decode()


class Member:
    """A process and what it has said. `number` is that of its address."""

    def __init__(self, name: str, number: int, argv: list[str], parse: Callable[[str], Sight | None]):
        self.name = name
        self.endpoint = f"[{address(number)}]:7946"
        self.lines: list[str] = []
        self.seen: dict[str, What] = {}
        """What it said last of each member."""
        self.argv = argv
        self._parse = parse
        self._rest = b""
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    @property
    def alive(self) -> set[str]:
        """Whom it sees, and itself."""
        return {self.name, *(name for name, what in self.seen.items() if what is What.JOINED)}

    def says(self, text: str) -> bool:
        """True if some line of its holds that."""
        return any(text in line for line in self.lines)

    def has_ended(self) -> bool:
        """By itself, or as it was told to."""
        return self.process.poll() is not None

    def read(self) -> bool:
        """Take in what it has printed; False at its end."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), READ_BYTES)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            self.lines.append(text)
            if sight := self._parse(text):
                self.seen[sight.subject] = sight.what
        return data != b""

    def errors(self) -> list[str]:
        """What it has said that nobody should have to say."""
        return [line for line in self.lines if ERROR.search(line)]

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Agent(Member):
    """A serf agent; `program` is its release's."""

    def __init__(self, name: str, number: int, program: Path, words: list[str]):
        self._program = program
        self._rpc = f"-rpc-addr=127.0.0.1:{20000 + number}"
        argv = [str(program), "agent", f"-node={name}", f"-bind=[{address(number)}]:7946", self._rpc]
        super().__init__(name, number, [*argv, "-log-level=debug", *words], serf_parse)

    def does(self, verb: str, *words: str, succeeds: bool = True) -> str:
        """A command of serf's to this agent; what it prints."""
        argv = [str(self._program), verb, self._rpc, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0 or not succeeds, f"serf {verb}: {done.stdout}{done.stderr}"
        return done.stdout

    def members(self) -> dict[str, dict[str, Any]]:
        """What the agent itself answers, by name."""
        found = json.loads(self.does("members", "-format=json"))["members"] or []
        return {member["name"]: member for member in found}


class Ours(Member):
    """A member of ours, as `hepto gossip run` runs it."""

    def __init__(self, name: str, number: int, directory: Path, words: list[str]):
        self._socket = str(directory / f"{name}.sock")
        argv = [sys.executable, "-m", "hepto", "gossip", "run", "--json", f"--name={name}", f"--socket={self._socket}"]
        argv += [f"--bind=[{address(number)}]:7946"]
        super().__init__(name, number, [*argv, *words], _parse_ours)

    def report(self) -> dict[str, Any]:
        """What `hepto gossip --json` shows."""
        return ask(self._socket)

    def counted(self, what: str) -> int:
        """One of its counters."""
        found: int = self.report()["counters"].get(what, 0)
        return found

    def refused(self) -> dict[str, int]:
        """What it has refused, by reason."""
        return {reason: count for reason, count in self.report()["counters"].items() if reason in _REASONS}

    def told(self, change: str, about: Member) -> int:
        """How often it has said this of that one."""
        return sum(f'"change": "{change}", "name": "{about.name}"' in line for line in self.lines)

    def answers(self) -> bool:
        """It is up, and so is its socket."""
        with suppress(UserError):
            return bool(self.report())
        return False


def _parse_ours(line: str) -> Sight | None:
    return hepto_parse(line) if line.startswith("{") else None


_REASONS = frozenset(Reason)
M = TypeVar("M", bound=Member)


class World:
    """All members of a test."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._members: list[Member] = []
        self._excused: list[str] = []
        self._selector = selectors.DefaultSelector()
        self._programs = {release: ensure_serf(cache_directory(), release) for release in RELEASES}

    def agent(self, name: str, number: int, *words: str, release: str = NEW) -> Agent:
        """Start a serf agent with these words more."""
        return self._watch(Agent(name, number, self._programs[release], list(words)))

    def ours(self, name: str, number: int, *words: str, compat: str = "serf") -> Ours:
        """Start a member of ours, with these words of `hepto gossip run` more; without a key it is not encrypted."""
        secrecy = [] if any(word.startswith("--key") for word in words) else ["--insecure"]
        return self._watch(Ours(name, number, self.directory, [f"--gossip-compat={compat}", *secrecy, *words]))

    def key_file(self, *keys: Key, name: str = "key") -> str:
        """The word for members of ours that have these keys; the same file is written again."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(",".join(key.hex for key in keys))
        return f"--key=@{path}"

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Read what members print until that holds; AssertionError with everybody's last lines when it never does."""
        self._until_nobody(lambda: [] if done() else self._members, what)

    def until_all_see(self, members: Iterable[Member], *, whom: Collection[Member] | None = None) -> None:
        """Wait until each of these sees all of `whom` (if not given, of themselves) and nobody else."""
        these = list(members)
        names = {member.name for member in (these if whom is None else whom)}
        self._until_nobody(
            lambda: [one for one in these if one.alive != names | {one.name}], f"all see {', '.join(sorted(names))}"
        )

    def until_all_say(self, members: Iterable[Member], what: What, about: Member) -> None:
        """Wait until each of these has said this of that one last."""
        these = list(members)
        self._until_nobody(
            lambda: [one for one in these if one.seen.get(about.name) is not what],
            f"all say {about.name} has {what.value}",
        )

    def _until_nobody(self, lacking: Callable[[], list[Member]], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while late := lacking():
            left = end - time.monotonic()
            assert left > 0, f"not within {PATIENCE:.0f} s: {what}\n{_last_words(late)}"
            for key, _ in self._selector.select(min(left, POLL_SECONDS)):
                if not key.data.read():
                    self._selector.unregister(key.fileobj)

    def kill(self, member: Member) -> None:
        """End it without a word. Errors about its address are to be expected from now on."""
        member.end()
        self.excuse(member.endpoint)

    def excuse(self, text: str) -> None:
        """An error that holds this text is what the test is about."""
        self._excused.append(text)

    def judge(self) -> None:
        """AssertionError if an agent has logged an error that is not excused, or any member has crashed."""
        self._drain()
        errors = [
            f"{member.name}: {line}"
            for member in self._members
            for line in member.errors()
            if not any(text in line for text in self._excused)
        ]
        assert errors == [], "\n".join(errors)

    def close(self) -> None:
        """End all."""
        for member in self._members:
            if member.process.poll() is None:
                member.process.kill()
                member.process.wait()
            assert member.process.stdout is not None
            member.process.stdout.close()
        self._selector.close()

    def _watch(self, member: M) -> M:
        assert member.process.stdout is not None
        self._members.append(member)
        self._selector.register(member.process.stdout, selectors.EVENT_READ, member)
        return member

    def _drain(self) -> None:
        while events := self._selector.select(0):
            for key, _ in events:
                if not key.data.read():
                    self._selector.unregister(key.fileobj)


def _last_words(members: list[Member]) -> str:
    """The end of what some of these have printed."""
    return "\n".join(
        f"--- {member.name} sees {', '.join(sorted(member.alive))}\n" + "\n".join(member.lines[-SHOWN_LINES:])
        for member in members[:SHOWN_MEMBERS]
    )


# --- a test in namespaces of its own

_STORIES: dict[str, Callable[[World], None]] = {}


def together(story: Callable[[World], None]) -> Callable[[], None]:
    """The test in namespaces of its own, given a world that is empty."""
    _STORIES[story.__name__] = story

    @pytest.mark.interop
    @pytest.mark.timeout(TEST_SECONDS)
    def run() -> None:
        for release in RELEASES:
            ensure_serf(cache_directory(), release)  # there will be no network in there
        script = "import sys; from tests.interop.world import enter; enter(*sys.argv[1:])"
        argv = [*unshare_argv(os.getuid()), sys.executable, "-W", "error", "-c", script]
        done = subprocess.run(
            [*argv, story.__module__, story.__name__], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def enter(module: str, name: str) -> None:
    """In the new namespaces: make them usable, tell the story, judge."""
    importlib.import_module(module)
    gossip_network.set_up(ADDRESSES)
    with tempfile.TemporaryDirectory(prefix="hepto-interop-") as directory:
        world = World(Path(directory))
        try:
            _STORIES[name](world)
            world.judge()
        finally:
            world.close()
