"""One cluster of one system in namespaces of its own: carries out orders that come as lines of JSON.

Started by bench/gossip_detection.py as `unshare … python -m bench.gossip_cell SYSTEM MEMBERS LOG`. The orders are the
methods of `Cell` that are listed in ORDERS; each is answered by one line, with rows `[what, value, unit]`. All members'
output is read by this one process, which notes when each line came.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import IO, Any, TypeAlias

from bench import gossip_network, gossip_processes
from bench.gossip_network import Traffic
from bench.gossip_systems import OTHERS, SYSTEMS, System, name
from bench.gossip_views import Views
from hepto.edge.command import CommandFailedError

Rows: TypeAlias = list[tuple[str, float, str]]

LIMIT_SECONDS = 60.0
UP_SECONDS = 240.0
"""For a whole cluster's start: three times sixty programs on a few cores that do other things too."""
UNNOTICED = float("inf")
STOPPED_SECONDS, RUNNING_SECONDS = 5.0, 1.0
READ_BYTES = 65536


class Member:
    """A running process."""

    def __init__(self, number: int, process: "subprocess.Popen[bytes]"):
        self.number = number
        self.name = name(number)
        self.process = process
        self.rest = b""
        """The beginning of a line that has not ended yet."""


class Cell:
    """The cluster. Members are known by their number, from 1."""

    def __init__(self, system: System, count: int, errors: IO[bytes]):
        self._system = system
        self._numbers = range(1, count + 1)
        self._errors = errors
        self._members: dict[int, Member] = {}
        self._selector = selectors.DefaultSelector()
        self._views = Views()
        self._begun = 0.0
        self._traffic: dict[str, Traffic] = {}
        self._processor: dict[int, float] = {}
        self._false = 0

    def up(self) -> Rows:
        """Start all and wait until everybody sees everybody."""
        gossip_network.set_up(len(self._numbers))
        began = time.monotonic()
        for number in self._numbers:
            self._start(number)
        self._converge(UP_SECONDS)
        return [("all joined", time.monotonic() - began, "s")]

    def begin(self) -> Rows:
        """A phase begins: from here on traffic, processor time and false failures are counted."""
        self._pump(lambda: True, 0.0)
        self._begun = time.monotonic()
        self._traffic = gossip_network.counted()
        self._processor = gossip_processes.cpu_seconds(self._pids())
        self._false = len(self._views.false)
        return []

    def finish(self, phase: str, starved: Collection[int] = ()) -> Rows:
        """The phase ends: what it has cost a node. Processor time is that of members that ran throughout."""
        self._pump(lambda: True, 0.0)
        node_seconds = (time.monotonic() - self._begun) * len(self._numbers)
        sent = gossip_network.difference(self._traffic, gossip_network.counted())
        processor = gossip_processes.mean_growth(self._processor, gossip_processes.cpu_seconds(self._pids()))
        rows = [(f"{protocol} bytes, {phase}", one.bytes / node_seconds, "B/s") for protocol, one in sent.items()]
        rows += [
            (f"bytes, {phase}", sum(one.bytes for one in sent.values()) / node_seconds, "B/s"),
            (f"packets, {phase}", sum(one.packets for one in sent.values()) / node_seconds, "1/s"),
            (f"processor, {phase}", 100 * processor / (time.monotonic() - self._begun), "%"),
            (f"memory, {phase}", gossip_processes.memory_mebibytes(self._pids()), "MiB"),
        ]
        healthy = [name(number) for number in self._numbers if number not in starved]
        rows.append((f"false failures, {phase}", self._views.false_about(healthy, self._false), ""))
        if starved:
            about = self._views.false_about([name(number) for number in starved], self._false)
            rows.append((f"failures of stopped members, {phase}", about, ""))
        return rows

    def end(self, number: int, kind: str, limit: float = LIMIT_SECONDS) -> Rows:
        """End one without a word, wait until every survivor has said so, start it again and wait until all is well.

        `kind`: "kill -9", or "host gone", when its address goes silent too. `limit` seconds are enough.
        """
        self._pump(lambda: True, 0.0)
        if kind == "host gone":
            gossip_network.cut_off(number)
        began = time.monotonic()
        self._kill(number)
        self._pump(self._views.all_noticed, limit)
        times = sorted(when - began for when in self._views.noticed.values())
        rows = [(f"{kind}, first", times[0] if times else UNNOTICED, "s")]
        rows.append((f"{kind}, all", times[-1] if self._views.all_noticed() else UNNOTICED, "s"))
        if kind == "host gone":
            gossip_network.reconnect(number)
        began = time.monotonic()
        self._start(number)
        self._converge()
        return [*rows, (f"back after {kind}", time.monotonic() - began, "s")]

    def starve(self, numbers: list[int], seconds: float) -> Rows:
        """Let these run for only one second of six; at the end wait until all is well again."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._signal(numbers, signal.SIGSTOP)
            self._pump(lambda: False, STOPPED_SECONDS)
            self._signal(numbers, signal.SIGCONT)
            self._pump(lambda: False, RUNNING_SECONDS)
        began = time.monotonic()
        self._converge()
        return [("recovered from starvation", time.monotonic() - began, "s")]

    def close(self) -> None:
        """End all."""
        for number in list(self._members):
            self._kill(number)
        self._selector.close()

    def _pids(self) -> list[int]:
        return [member.process.pid for member in self._members.values()]

    def _signal(self, numbers: Iterable[int], which: signal.Signals) -> None:
        for number in numbers:
            self._members[number].process.send_signal(which)

    def _start(self, number: int) -> None:
        process = subprocess.Popen(
            self._system.argv(number), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors
        )
        member = self._members[number] = Member(number, process)
        self._views.started(member.name)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, member)

    def _kill(self, number: int) -> None:
        member = self._members.pop(number)
        assert member.process.stdout is not None
        self._selector.unregister(member.process.stdout)
        self._views.ended(member.name)
        member.process.kill()
        member.process.wait()
        member.process.stdout.close()

    def _converge(self, limit: float = LIMIT_SECONDS) -> None:
        if not self._pump(self._views.converged, limit):
            raise TimeoutError(f"not everybody sees everybody after {limit:.0f} s")

    def _pump(self, done: Callable[[], bool], seconds: float) -> bool:
        """Read what members say until `done` or the time is over; at least all that is there. True when done."""
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._selector.select(0 if done() else max(0.0, deadline - time.monotonic())):
                self._read(key.data)
            if done() or time.monotonic() >= deadline:
                return done()

    def _read(self, member: Member) -> None:
        assert member.process.stdout is not None
        now = time.monotonic()
        data = os.read(member.process.stdout.fileno(), READ_BYTES)
        if not data:
            raise ChildProcessError(f"{member.name} has ended by itself")
        *lines, member.rest = (member.rest + data).split(b"\n")
        for line in lines:
            sight = self._system.parse(line.decode(errors="replace"))
            if sight:
                self._views.take(now, member.name, sight)


ORDERS = ("up", "begin", "finish", "end", "starve")


def carry_out(cell: Cell, line: str) -> dict[str, Any]:
    """One order, `{"do": NAME, …arguments}`; the answer has `rows` or an `error`."""
    order = json.loads(line)
    verb = order.pop("do")
    if verb not in ORDERS:
        return {"error": f"no order {verb!r}"}
    try:
        return {"rows": getattr(cell, verb)(**order)}
    except CommandFailedError as error:
        return {"error": f"{verb}: {error.last_line()}"}
    except OSError as error:  # TimeoutError and ChildProcessError are of this kind
        return {"error": f"{verb}: {error}"}


def main(arguments: list[str]) -> int:
    """Serve until the orders end."""
    system, count, log = arguments
    with Path(log).open("wb") as errors:
        cell = Cell({**SYSTEMS, **OTHERS}[system], int(count), errors)
        try:
            for line in sys.stdin:
                print(json.dumps(carry_out(cell, line)), flush=True)
        finally:
            cell.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
