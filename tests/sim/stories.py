"""A cluster of recorders, for tests of what happens between them."""

import random
from dataclasses import dataclass, field

from hepto.machine import Effect, Event
from hepto.sim.clock import Clock
from hepto.sim.cluster import Cluster
from hepto.sim.network import Network, Quality
from hepto.sim.node import Node
from tests.sim.fakes import Notebook, Recorder, Recorders

LATENCY = 0.01
EVEN = Quality(shortest=LATENCY, longest=LATENCY)


@dataclass
class Story:
    """So many recorders that run, with links of equal length."""

    size: int = 3
    quality: Quality = EVEN
    software: Recorders = field(default_factory=Recorders)
    notes: Notebook = field(default_factory=Notebook)
    cluster: Cluster = field(init=False)

    def __post_init__(self) -> None:
        network = Network(random.Random(1), self.quality)
        self.cluster = Cluster(self.size, Clock(), network, self.software, self.notes)
        for index in range(self.size):
            self.cluster.start(index)

    def node(self, index: int) -> Node:
        return self.cluster.nodes[index]

    def core(self, index: int) -> Recorder:
        core = self.node(index).core
        assert isinstance(core, Recorder)
        return core

    def does(self, index: int, *effects: Effect) -> None:
        """A core does this now."""
        self.core(index).out += effects
        self.cluster.feed(self.node(index), Event())

    def run(self, until: float) -> None:
        self.cluster.clock.run(until)
