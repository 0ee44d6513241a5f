"""Passes news on: to a few members each interval, and at once when there has been none for an interval.

There is no timer while there is no news.
"""

from hepto.gossip.agenda import OFF, Timer
from hepto.gossip.application import Reaction
from hepto.gossip.codec import encode
from hepto.gossip.extension import for_everybody
from hepto.gossip.members import Member
from hepto.gossip.messages import Alive, Dead, NodeState, Status, Suspect, User
from hepto.gossip.model import Received
from hepto.gossip.node import Node

GATHER = 0.02
"""Seconds, at most, that the first piece of news waits for more to come, so that they share a packet."""


def alive_of(record: NodeState) -> Alive:
    """What is said of a member that is alive."""
    return Alive(record.incarnation, record.name, record.address, record.meta, record.versions)


class Gossiper:
    """All news goes through `spread` and `broadcast`."""

    def __init__(self, node: Node):
        self._node = node
        self._timer = Timer(self._pass_on)
        self._last = -OFF

    def spread(self, name: bytes, message: Alive | Suspect | Dead, now: float) -> None:
        """Tell everybody about the member `name`; what was queued about it before is dropped."""
        self._node.outbox.news.members.add(name, encode(message))
        self.wake(now)

    def broadcast(self, data: bytes, now: float) -> None:
        """Pass on a user message, once however often it is asked for."""
        restricted = not for_everybody(data)
        self._node.outbox.news.application.add(data, encode(User(data)), restricted=restricted)
        self.wake(now)

    def react(self, reaction: Reaction, now: float, *, shared: bool = False) -> None:
        """Do what the application says."""
        for data in reaction.broadcast:
            self.broadcast(data, now)
        for data in reaction.received:
            self._node.outbox.emit(Received(data, shared))

    def wake(self, now: float) -> None:
        """There may be somebody to tell."""
        if self._timer.when == OFF and self._node.outbox.news:
            soon = now + GATHER * self._node.dice.random()
            self._node.agenda.set(self._timer, max(soon, self._last + self._node.profile.gossip_interval))

    def _pass_on(self, now: float) -> None:
        node = self._node
        self._last = now
        hopeful = now - node.profile.gossip_to_dead

        def wanted(member: Member) -> bool:
            return member.live or (member.record.status == Status.DEAD and member.since >= hopeful)

        receivers = node.members.next_to_gossip(node.profile.gossip_fanout, wanted)
        for member in receivers:
            if not node.outbox.send_news(member.record.address, ours=member.ours) and member.ours:
                break
        if receivers and node.outbox.news:
            node.agenda.set(self._timer, now + node.profile.gossip_interval)
