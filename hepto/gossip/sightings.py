"""Asks members of ours from where our datagrams come, and tells those who ask (extension.py)."""

from hepto.gossip.agenda import Timer
from hepto.gossip.codec import encode
from hepto.gossip.extension import Look, Sight, decode_extension, encode_extension, is_extension
from hepto.gossip.members import canonical
from hepto.gossip.messages import Address, User
from hepto.gossip.model import Sighted
from hepto.gossip.node import Node

ASKED = 2
"""Members at a time: one alone may be on our side of a translator."""
SOON = 2.0
"""Seconds after the start, when somebody may be known."""
RARELY = 600.0
ALLOWANCE = 32
"""Answers between two of our own questions; more are not given."""


class Sightings:
    """Both roles."""

    def __init__(self, node: Node):
        self._node = node
        self._timer = Timer(self.ask)
        self._allowance = ALLOWANCE

    def start(self, now: float) -> None:
        self._node.agenda.set(self._timer, now + SOON)

    def ask(self, now: float) -> None:
        """A few members, and again after a while."""
        node = self._node
        chosen = node.members.choose(ASKED, node.dice, lambda member: member.ours and member.live)
        look = encode(User(encode_extension(Look())))
        for member in chosen:
            node.outbox.send(member.record.address, look, ours=True)
        self._allowance = ALLOWANCE
        node.agenda.set(self._timer, now + (RARELY if chosen else SOON * 5) * (1 - 0.5 * node.dice.random()))

    def take(self, data: bytes, source: Address) -> bool:
        """False if it is no extension. Raises GossipError if it is a bad one."""
        if not is_extension(data):
            return False
        match decode_extension(data):
            case Look():
                if self._allowance:
                    self._allowance -= 1
                    sight = encode_extension(Sight(canonical(source), self._node.name))
                    self._node.outbox.send(source, encode(User(sight)))
            case Sight(address=address, observer=observer):
                member = self._node.members.get(observer)
                if member is not None and member.ours and member is not self._node.own:
                    self._node.outbox.emit(Sighted(observer, address))
        return True
