"""Leaving: the application's farewell is passed on first, then memberlist's, then the sockets may be closed.

                farewell sent often enough          own death sent often enough
    FAREWELL ----------------------------> LEAVING ------------------------------> GONE (Departed)

Whatever happens, it is GONE after `LONGEST`, and at once if there is nobody to tell. That the application goes first is
serf's need: a death without an announced leave is a failure there.
"""

from dataclasses import replace
from enum import Enum

from hepto.gossip.agenda import Timer
from hepto.gossip.gossiper import Gossiper
from hepto.gossip.messages import Dead, Status
from hepto.gossip.model import Departed
from hepto.gossip.node import Node

LONGEST = 5.0
"""Seconds for all of it (serf's BroadcastTimeout)."""


class Stage(Enum):
    HERE = "here"
    FAREWELL = "farewell"
    LEAVING = "leaving"
    GONE = "gone"


class Departure:
    """Looks at each gossip interval whether the news has gone out."""

    def __init__(self, node: Node, gossiper: Gossiper):
        self.stage = Stage.HERE
        self._node = node
        self._gossiper = gossiper
        self._timer = Timer(self._look)
        self._farewell: tuple[bytes, ...] = ()
        self._limit = 0.0

    def begin(self, now: float) -> None:
        """Asked for a second time it does nothing."""
        if self.stage is not Stage.HERE:
            return
        self.stage = Stage.FAREWELL
        self._limit = now + LONGEST
        self._farewell = self._node.application.farewell()
        for data in self._farewell:
            self._gossiper.broadcast(data, now)
        self._look(now)

    def _look(self, now: float) -> None:
        node, news = self._node, self._node.outbox.news
        over = now >= self._limit or node.members.alone()
        if self.stage is Stage.FAREWELL and (over or not any(data in news.application for data in self._farewell)):
            self.stage = Stage.LEAVING
            node.leaving = True
            own = node.own
            own.record = replace(own.record, status=Status.LEFT)
            own.since = now
            self._gossiper.spread(node.name, Dead(own.record.incarnation, node.name, node.name), now)
        if self.stage is Stage.LEAVING and (over or node.name not in news.members):
            self.stage = Stage.GONE
            node.outbox.emit(Departed())
            return
        node.agenda.set(self._timer, now + node.profile.gossip_interval)
