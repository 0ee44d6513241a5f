"""What goes wrong in a run, and when: read from what a person types, and written so that it can be typed again.

    TIME      12s, 500ms, 5m, 1h
    WHEN      TIME (an instant) or TIME..TIME (a while)
    NODES     all, 7, 0-4, or several: 0-4,9
    machines  WHEN:NODES           --kill --unplug --pause --partition --restart --renumber
              WHEN:NODES@TIME/TIME --pause only: paused for the first TIME of every second TIME
              WHEN:NODES>NODES     --partition only: nothing gets from the first to the second
    weather   2%, or WHEN:2%       --loss --duplicate --reorder --corrupt
              40ms..300ms, or WHEN:40ms..300ms                        --latency

Nodes are numbered from 0. `parse` of any text gives a fault or raises UserError; `parse(kind, str(fault)) == fault`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from hepto import durations
from hepto.errors import ExitCode, UserError
from hepto.given import shorten
from hepto.values import BadValue


class Kind(StrEnum):
    """What can go wrong; also the name of its option."""

    KILL = "kill"
    """The process ends at once; its machine says that nobody listens. A while: it is started again at its end."""
    UNPLUG = "unplug"
    """The machine vanishes without a word. A while: it is started again at its end."""
    PAUSE = "pause"
    """The process gets no processor time; its machine takes in what arrives."""
    PARTITION = "partition"
    """Nothing passes between these nodes and all others."""
    RESTART = "restart"
    """The process is started, after it was ended if it runs; it remembers what it has stored."""
    RENUMBER = "renumber"
    """The node gets another address, which it and the name service know at once."""
    LOSS = "loss"
    LATENCY = "latency"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    CORRUPT = "corrupt"


class Shape(NamedTuple):
    """What may be said of a kind."""

    instant: bool
    """At a time."""
    lasting: bool
    """For a while."""
    example: str


MACHINES = {
    Kind.KILL: Shape(instant=True, lasting=True, example="30s:7"),
    Kind.UNPLUG: Shape(instant=True, lasting=True, example="30s:7"),
    Kind.PAUSE: Shape(instant=False, lasting=True, example="10s..40s:7"),
    Kind.PARTITION: Shape(instant=False, lasting=True, example="10s..40s:0-4"),
    Kind.RESTART: Shape(instant=True, lasting=False, example="60s:7"),
    Kind.RENUMBER: Shape(instant=True, lasting=False, example="60s:0-4"),
}
RATES = {Kind.LOSS: "2%", Kind.DUPLICATE: "10%", Kind.REORDER: "25%", Kind.CORRUPT: "5%"}
LATENCY_EXAMPLE = "40ms..300ms"

MOST_NODES = 100_000
"""Numbers beyond are refused before a range of them takes memory."""

_RATE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class When:
    """An instant, or a while (seconds since the run began)."""

    begin: float
    end: float | None = None

    def __str__(self) -> str:
        return (
            durations.write(self.begin)
            if self.end is None
            else f"{durations.write(self.begin)}..{durations.write(self.end)}"
        )


@dataclass(frozen=True, slots=True)
class MachineFault:
    """Something happens to nodes."""

    kind: Kind
    when: When
    nodes: tuple[int, ...] | None
    """Ascending; None: all."""
    towards: tuple[int, ...] | None = None
    """Of a one-way partition: where nothing gets; None: both ways, from and to all others."""
    share: tuple[float, float] | None = None
    """Of a starving process: paused for the first of these seconds in every second of them."""

    def __str__(self) -> str:
        towards = f">{write_nodes(self.towards)}" if self.towards is not None else ""
        share = f"@{durations.write(self.share[0])}/{durations.write(self.share[1])}" if self.share else ""
        return f"{self.when}:{write_nodes(self.nodes)}{towards}{share}"


@dataclass(frozen=True, slots=True)
class Weather:
    """The network is like this, for a while or for the whole run."""

    kind: Kind
    when: When | None
    low: float
    """A rate (0 to 1), or the shortest latency in seconds."""
    high: float
    """The same rate, or the longest latency."""

    def __str__(self) -> str:
        is_latency = self.kind is Kind.LATENCY
        value = (
            f"{durations.write(self.low)}..{durations.write(self.high)}"
            if is_latency
            else f"{durations.plain(self.low * 100)}%"
        )
        return f"{self.when}:{value}" if self.when else value


Fault: TypeAlias = MachineFault | Weather


def parse(kind: Kind, text: str) -> Fault:
    """One fault. Raises UserError."""
    try:
        return _machine_fault(kind, text) if kind in MACHINES else _weather(kind, text)
    except BadValue as error:
        example = MACHINES[kind].example if kind in MACHINES else RATES.get(kind, LATENCY_EXAMPLE)
        what = f"--{kind} {shorten(text)}: {error}"
        raise UserError(what, f"write it like --{kind} {example}", ExitCode.USAGE) from None


def check_nodes(fault: Fault, nodes: int) -> None:
    """Raises UserError if it is about a node that a cluster of so many does not have."""
    if isinstance(fault, Weather):
        return
    highest = max([*(fault.nodes or ()), *(fault.towards or ())], default=0)
    if highest >= nodes:
        what = f"--{fault.kind} {fault}: there is no node {highest} among {nodes}"
        raise UserError(what, f"nodes are numbered from 0 to {nodes - 1}; --nodes makes more", ExitCode.USAGE)


def parse_time(text: str, option: str) -> float:
    """Seconds, of another option. Raises UserError."""
    try:
        return durations.parse(text)
    except BadValue as error:
        raise UserError(f"{option}: {error}", f"write it like {option} 90s", ExitCode.USAGE) from None


def write_nodes(nodes: tuple[int, ...] | None) -> str:
    """As ranges: 0-4,9."""
    if nodes is None:
        return "all"
    ranges: list[list[int]] = []
    for node in nodes:
        if ranges and node == ranges[-1][-1] + 1:
            ranges[-1][1:] = [node]
        else:
            ranges.append([node])
    return ",".join("-".join(map(str, edges)) for edges in ranges)


def _when(text: str) -> When:
    begin, dots, end = text.partition("..")
    when = When(durations.parse(begin), durations.parse(end) if dots else None)
    if when.end is not None and when.end <= when.begin:
        raise BadValue("it ends before it begins")
    return when


def _nodes(text: str) -> tuple[int, ...] | None:
    if text == "all":
        return None
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            raise BadValue(f"“{shorten(part)}” is no node such as 7, no range such as 0-4, and not all")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise BadValue(f"the range {part} runs backwards")
        if last >= MOST_NODES:
            raise BadValue(f"there are never as many as {last} nodes")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def _machine_fault(kind: Kind, text: str) -> MachineFault:
    before, colon, after = text.partition(":")
    if not colon:
        raise BadValue("it does not say both when and which nodes")
    when, shape = _when(before), MACHINES[kind]
    if when.end is None and not shape.instant:
        raise BadValue("it needs a beginning and an end")
    if when.end is not None and not shape.lasting:
        raise BadValue("it happens at an instant")
    nodes, arrow, towards = after.partition(">") if kind is Kind.PARTITION else (after, "", "")
    nodes, at, share = nodes.partition("@") if kind is Kind.PAUSE else (nodes, "", "")
    who = _nodes(nodes)
    if kind is Kind.PARTITION and who is None and not arrow:
        raise BadValue("all nodes have no others to be cut off from")
    return MachineFault(kind, when, who, _nodes(towards) if arrow else None, _share(share) if at else None)


def _share(text: str) -> tuple[float, float]:
    paused, slash, period = text.partition("/")
    if not slash:
        raise BadValue("a share of time is written like 5s/6s")
    result = durations.parse(paused), durations.parse(period)
    if not 0 < result[0] < result[1]:
        raise BadValue("the pause must be shorter than its period")
    return result


def _weather(kind: Kind, text: str) -> Weather:
    before, colon, value = text.rpartition(":")
    when = _when(before) if colon else None
    if when is not None and when.end is None:
        raise BadValue("it needs a beginning and an end")
    if kind is Kind.LATENCY:
        low, dots, high = value.partition("..")
        shortest = durations.parse(low)
        longest = durations.parse(high) if dots else shortest
        if longest < shortest:
            raise BadValue("the longest latency is shorter than the shortest")
        return Weather(kind, when, shortest, longest)
    found = _RATE.fullmatch(value)
    if not found or float(found[1]) > 100:
        raise BadValue(f"“{shorten(value)}” is no rate from 0% to 100%")
    rate = round(float(found[1]) / 100, 8)
    return Weather(kind, when, rate, rate)
