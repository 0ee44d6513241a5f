"""What is worth keeping for the next life: our incarnation, and where members were."""

from hepto.gossip.agenda import OFF, Timer
from hepto.gossip.members import canonical
from hepto.gossip.messages import Address
from hepto.gossip.model import Remember
from hepto.gossip.node import Node

GATHER = 10.0
"""Seconds in which changes are gathered."""
LARGEST = 64
"""Addresses."""


class Memory:
    """Emits `Remember` when something has changed; while nobody is known, what was remembered stays."""

    def __init__(self, node: Node, remembered: tuple[Address, ...]):
        self._node = node
        self._addresses = tuple(canonical(address) for address in remembered[:LARGEST])
        self._last: Remember | None = None
        self._timer = Timer(self._keep)

    def start(self, now: float) -> None:
        """The incarnation in use is kept at once, so that a next life is newer."""
        self._keep(now)

    def changed(self, now: float) -> None:
        """Members or our incarnation."""
        if self._timer.when == OFF:
            self._node.agenda.set(self._timer, now + GATHER)

    def _keep(self, now: float) -> None:
        del now
        live = [canonical(member.record.address) for member in self._node.members.others()]
        self._addresses = tuple(live[:LARGEST]) or self._addresses
        remember = Remember(self._node.own.record.incarnation, self._addresses)
        if self._last is None or (remember.incarnation, set(remember.addresses)) != (
            self._last.incarnation,
            set(self._last.addresses),
        ):
            self._last = remember
            self._node.outbox.emit(remember)
