"""Who believes what of whom, and how many of these beliefs are wrong: counted as they change, not searched for.

A belief fits if the subject runs and is taken for alive, at the address and with the meta that it has; or if it does
not run and is held for dead, has left, or is unknown. A node whose process has ended believes nothing. Views are equal,
and true, when nothing is wrong.
"""

from collections.abc import Sequence

from hepto.gossip.messages import Status
from hepto.gossip.model import Change, Claim
from hepto.sim.node import Node

Belief = Claim | None


class Views:
    """N times N beliefs; those about oneself are left out."""

    def __init__(self, nodes: Sequence[Node]):
        self.wrong = 0
        """How many beliefs do not fit."""
        self._nodes = nodes
        self._index = {node.name: node.index for node in nodes}
        self._beliefs: list[list[Belief]] = [[None] * len(nodes) for _ in nodes]
        self._flags = [bytearray(len(nodes)) for _ in nodes]

    def subject(self, name: bytes) -> int | None:
        """The number of a node; None if there is none of this name."""
        return self._index.get(name)

    def learn(self, observer: int, subject: int, change: Change, claim: Claim) -> None:
        """A core has said what it thinks now."""
        self._beliefs[observer][subject] = None if change is Change.FORGOTTEN else claim
        self._judge(observer, subject)

    def know(self, observer: int, claims: Sequence[Claim]) -> None:
        """A core begins with these, one for each node in order."""
        self._beliefs[observer] = list(claims)

    def forget(self, observer: int) -> None:
        """Its process has ended, and the next one begins with nothing."""
        self._beliefs[observer] = [None] * len(self._nodes)

    def refresh(self, index: int) -> None:
        """Something else about this node is true now: judge what it believes and what is believed of it."""
        for other in range(len(self._nodes)):
            self._judge(index, other)
            self._judge(other, index)

    def _judge(self, observer: int, subject: int) -> None:
        wrong = not self._fits(observer, subject)
        flags = self._flags[observer]
        self.wrong += wrong - flags[subject]
        flags[subject] = wrong

    def _fits(self, observer: int, subject: int) -> bool:
        if observer == subject or not self._nodes[observer].is_running:
            return True
        belief, truth = self._beliefs[observer][subject], self._nodes[subject]
        if not truth.is_running:
            return belief is None or belief.status in (Status.DEAD, Status.LEFT)
        return (
            belief is not None
            and belief.status is Status.ALIVE
            and belief.address == truth.address
            and belief.meta == truth.meta
        )
