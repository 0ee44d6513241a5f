"""What a run is: everything that its result follows from."""

from dataclasses import dataclass

from hepto import durations
from hepto.sim.faults import Fault, Weather

START_SECONDS = 1.0
"""Strangers start spread over so much time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Equal plans have equal outcomes, whatever the machine."""

    nodes: int
    seed: int
    until: float
    """Seconds."""
    profile: str = "lan"
    """A name of hepto.gossip.profile.PROFILES."""
    faults: tuple[Fault, ...] = ()
    strangers: bool = False
    """Nodes know only the anchors at the beginning; else everybody knows everybody."""
    exact: bool = False
    """Streams are encoded, sealed and read again; else whole messages are handed over and their size is reckoned."""
    meta: int = 320
    """Bytes that each node tells about itself; the endpoint record and grant of a real one are as long."""
    anchors: int = 3
    """The first so many nodes are everybody's anchors."""

    def faults_end(self) -> float:
        """When all has been done to the cluster, seconds; what lasts for the whole run does not count."""
        begin = START_SECONDS if self.strangers else 0.0
        return max((fault.when.end or fault.when.begin for fault in self.faults if fault.when), default=begin)

    def worst(self, kind: str) -> float:
        """The highest rate of this kind that is ever in force."""
        return max(
            (fault.high for fault in self.faults if isinstance(fault, Weather) and fault.kind == kind), default=0.0
        )

    def command(self) -> str:
        """What a person types to see this run again."""
        words = ["hepto sim", f"--nodes {self.nodes}", f"--seed {self.seed}", f"--until {durations.write(self.until)}"]
        words += [f"--profile {self.profile}", *map(_option, self.faults)]
        words += ["--strangers"] if self.strangers else []
        words += ["--exact"] if self.exact else []
        return " ".join(words)


def _option(fault: Fault) -> str:
    text = str(fault)
    return f"--{fault.kind} '{text}'" if ">" in text else f"--{fault.kind} {text}"
