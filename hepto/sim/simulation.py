"""One run: a plan in, an outcome out. Starts the nodes, arms the faults, lets time go by, writes down what happened."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from hepto.gossip.messages import NodeState
from hepto.gossip.model import MemberChanged
from hepto.gossip.plain import VERSIONS
from hepto.sim.clock import Clock
from hepto.sim.cluster import Cluster
from hepto.sim.network import Network
from hepto.sim.node import Node
from hepto.sim.plan import START_SECONDS, Plan
from hepto.sim.production import Production, Settled
from hepto.sim.timeline import Agreement, Timeline, Turn
from hepto.sim.trouble import Trouble
from hepto.sim.views import Views

STEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Sent by all nodes together; payload, without the headers of UDP, TCP and IP."""

    packets: int
    packet_bytes: int
    stream_bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown."""

    plan: Plan
    timeline: Timeline
    traffic: Traffic
    wrong: int
    """Beliefs that do not fit at the end (views.py)."""


class Simulation:
    """`for now in simulation.steps(): …`, then `outcome()`."""

    def __init__(self, plan: Plan, production: Production | None = None):
        self.plan = plan
        self.clock = Clock()
        self.timeline = Timeline()
        self._production = production or Production(plan)
        dice = random.Random(f"{plan.seed}/network")
        self.cluster = Cluster(plan.nodes, self.clock, Network(dice), self._production, self)
        self.views = Views(self.cluster.nodes)
        for node in self.cluster.nodes:
            self.clock.at(dice.uniform(0, START_SECONDS) if plan.strangers else 0.0, self.cluster.start, node.index)
        if not plan.strangers:
            self.clock.at(0.0, self._settle)
        trouble = Trouble(self.cluster)
        self.timeline.happenings += filter(None, map(trouble.arm, plan.faults))

    def steps(self) -> Iterator[float]:
        """Let time go by; yields the time after each second."""
        while self.clock.now < self.plan.until:
            self.clock.run(min(self.clock.now + STEP_SECONDS, self.plan.until))
            yield self.clock.now

    def outcome(self) -> Outcome:
        """As of now."""
        nodes = self.cluster.nodes
        traffic = Traffic(
            sum(node.packets for node in nodes),
            sum(node.packet_bytes for node in nodes),
            sum(node.stream_bytes for node in nodes),
        )
        return Outcome(self.plan, self.timeline, traffic, self.views.wrong)

    def changed(self, node: Node, effect: MemberChanged) -> None:
        """A core has said what it thinks of a member (cluster.Watcher)."""
        subject = self.views.subject(effect.claim.name)
        if subject is None or subject == node.index:
            return
        self.views.learn(node.index, subject, effect.change, effect.claim)
        turn = Turn(self.clock.now, node.index, subject, effect.change, effect.claim.status)
        self.timeline.turns.append(turn)
        self._compare()

    def touched(self, node: Node) -> None:
        """A process has begun or ended, or a node has moved (cluster.Watcher)."""
        if not node.is_running:
            self.views.forget(node.index)
        self.views.refresh(node.index)
        self._compare()

    def _settle(self) -> None:
        """Everybody knows everybody, as after a quiet hour."""
        cores = [node.core for node in self.cluster.nodes if isinstance(node.core, Settled)]
        own = [core.members()[0] for core in cores]  # each knows only itself so far
        records = [
            NodeState(claim.name, claim.address, claim.meta, claim.incarnation, claim.status, VERSIONS) for claim in own
        ]
        for core in cores:
            core.know(records, self.clock.now)
        for node in self.cluster.nodes:
            self.views.know(node.index, own)
            self.views.refresh(node.index)
        self._compare()

    def _compare(self) -> None:
        is_equal, known = self.views.wrong == 0, self.timeline.equal
        if known and known[-1].time == self.clock.now:
            known.pop()  # of one instant the last word counts
        if is_equal != (known[-1].is_equal if known else False):
            known.append(Agreement(self.clock.now, is_equal))


def run(plan: Plan) -> Outcome:
    """The whole run at once."""
    simulation = Simulation(plan)
    for _ in simulation.steps():
        pass
    return simulation.outcome()
