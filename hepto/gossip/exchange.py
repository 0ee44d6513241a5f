"""Push/pull: two nodes tell each other all they know. It heals what gossip has lost, and it is how a node joins.

The first one to a peer that is not live in our view carries only our own state: an acceptor takes little from strangers
(trust.md section 7), and its answer carries everything anyway. A full one follows as soon as the peer is live, so after
a partition both sides know of both.

When two halves meet again, each holds the other for dead at the incarnation that the other still has, so nothing that
one says of itself is news to the other. What is dead but speaks is therefore told so at once, and a refutation that
an exchange caused goes straight back to the peer.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hepto.gossip.agenda import OFF, Timer
from hepto.gossip.codec import encode
from hepto.gossip.counters import Done
from hepto.gossip.gossiper import Gossiper, alive_of
from hepto.gossip.members import Member, canonical
from hepto.gossip.messages import Address, Dead, ErrorMessage, NodeState, PushPull, Status, StreamMessage, Suspect
from hepto.gossip.model import Answer
from hepto.gossip.node import Node
from hepto.gossip.profile import push_pull_interval
from hepto.gossip.reasons import GossipError, Reason
from hepto.gossip.versions import agree
from hepto.gossip.view import View

FIRST_INTERVAL = 2.0
"""Seconds between the first exchanges of a node that has just joined; tripled until the schedule's interval is reached.
When all nodes of a cluster start at once, nobody's first exchange brings much, and news about a newcomer is passed on
by nodes that know only few others: without this, the views would be equal only after the first scheduled round."""
FOLLOW_UP = 0.2
"""Seconds, at most, until a full exchange follows one that carried only our own state."""
LARGEST_OWED = 64
"""Peers that are owed one."""


@dataclass(frozen=True, slots=True)
class _Call:
    destination: Address
    join: bool
    full: bool
    alone: bool
    """We knew nobody when it began."""
    done: Callable[[bool, float], None]


def _ignore(_success: bool, _now: float) -> None:
    pass


class Exchange:
    """Both sides of push/pull, and its schedule."""

    def __init__(self, node: Node, view: View, gossiper: Gossiper):
        self._node = node
        self._view = view
        self._gossiper = gossiper
        self._timer = Timer(self._periodic)
        self._interval = OFF
        """Until the schedule's is reached; not used by a node that has not joined anybody."""
        self._calls: dict[int, _Call] = {}
        self._owed: dict[bytes, Timer] = {}

    def start(self, now: float) -> None:
        """Exchange with somebody now and then."""
        self._schedule(now)

    def stop(self) -> None:
        """Only answer."""
        for timer in (self._timer, *self._owed.values()):
            self._node.agenda.cancel(timer)

    def begin(
        self, destination: Address, now: float, *, join: bool, done: Callable[[bool, float], None] = _ignore
    ) -> None:
        """One exchange with whoever is there; `done` is told whether it succeeded."""
        node = self._node
        alone = node.members.alone()
        full = node.members.at(destination) is not None
        message = self._message(join=join) if full else PushPull((node.own.record,), self._shared(), join)
        call = node.outbox.call(destination, message, now + node.profile.stream_timeout)
        self._calls[call] = _Call(canonical(destination), join, full, alone, done)

    def answered(self, number: int, message: StreamMessage, now: float) -> None:
        """What a call of ours has brought."""
        call = self._calls.pop(number, None)
        if call is None:
            return
        if not isinstance(message, PushPull):
            detail = message.text.decode(errors="backslashreplace") if isinstance(message, ErrorMessage) else ""
            self._failed(call, now, detail)
            return
        node = self._node
        host = f"push/pull with {_name_of(message, call.destination)}"
        try:
            self._merge(message, call.destination, now, host, spread=not (call.alone and call.join))
        except GossipError as error:
            node.counters.refused_error(error)
            self._failed(call, now, error.detail)
            return
        node.counters[Done.PUSH_PULLS] += 1
        if not call.full and not call.alone:
            self._owe(message, call.destination, now)
        if call.alone and not node.members.alone():
            self._interval = FIRST_INTERVAL
            self._schedule(now)
        self._gossiper.wake(now)
        call.done(True, now)

    def failed(self, number: int, detail: str, now: float) -> None:
        """A call of ours has brought nothing."""
        call = self._calls.pop(number, None)
        if call is not None:
            self._failed(call, now, detail)

    def accepted(self, stream: int, message: PushPull, source: Address, now: float) -> None:
        """Somebody's. The answer is what we knew before we look at theirs."""
        self._node.outbox.emit(Answer(stream, self._message(join=message.join)))
        peer = _peer(message, source)
        host = f"push/pull from {_name_of(message, peer)}"
        try:
            self._merge(message, peer, now, host, spread=True)
        except GossipError as error:
            self._node.counters.refused_error(error)

    def joined(self, member: Member, now: float) -> None:
        """It has become live: if it is owed a full exchange, that follows."""
        timer = self._owed.get(member.record.name)
        if timer is not None:
            self._node.agenda.set(timer, now + FOLLOW_UP * self._node.dice.random())

    # -- inside ------------------------------------------------------------------------------------------------------

    def _periodic(self, now: float) -> None:
        self._schedule(now)
        node = self._node
        for member in node.members.choose(1, node.dice, lambda member: member.record.status == Status.ALIVE):
            self.begin(member.record.address, now, join=False)

    def _schedule(self, now: float) -> None:
        node = self._node
        longest = push_pull_interval(node.profile.push_pull_interval, len(node.members))
        node.agenda.set(self._timer, now + min(self._interval, longest) * (0.5 + node.dice.random()))
        self._interval *= 3

    def _message(self, *, join: bool) -> PushPull:
        own = self._node.own
        states = (own.record, *(member.record for member in self._node.members if member is not own))
        return PushPull(states, self._shared(), join)

    def _shared(self) -> bytes:
        members = tuple((member.record.name, Status(member.record.status)) for member in self._node.members)
        return self._node.application.shared(members)

    def _failed(self, call: _Call, now: float, detail: str) -> None:
        del detail
        self._node.counters[Done.PUSH_PULLS_FAILED] += 1
        call.done(False, now)

    def _merge(self, message: PushPull, peer: Address | None, now: float, why: str, *, spread: bool) -> None:
        node, members = self._node, self._node.members
        ours = [member.record for member in members]
        both = (*message.states, *ours)
        if not agree((state.versions for state in both if state.status == Status.ALIVE), (s.versions for s in both)):
            raise GossipError(Reason.BAD_VERSIONS, "a member speaks what another does not understand")
        incarnation = node.own.record.incarnation
        for state in message.states:
            known = members.get(state.name)
            if known is not None and known.record is state:
                continue
            self._merge_state(state, known, peer, now, why, spread=spread)
        if node.own.record.incarnation != incarnation and peer is not None:
            node.outbox.send_only(peer, encode(alive_of(node.own.record)))
        if message.user_state:
            self._gossiper.react(node.application.merge(message.user_state), now, shared=True)

    def _merge_state(
        self, state: NodeState, known: Member | None, peer: Address | None, now: float, why: str, *, spread: bool
    ) -> None:
        name, incarnation = state.name, state.incarnation
        if state.status == Status.ALIVE:
            self._view.alive(state, now, why, spread=spread)
            dead = known is not None and known.record.status == Status.DEAD
            if dead and peer is not None and canonical(state.address) == peer:
                assert known is not None
                accusation = Suspect(known.record.incarnation, name, self._node.name)
                self._node.outbox.send_only(peer, encode(accusation))
        elif state.status == Status.LEFT:
            self._view.dead(Dead(incarnation, name, name), now)
        elif state.status in (Status.SUSPECT, Status.DEAD) and (known is None or known.suspicion is None):
            self._view.suspect(Suspect(incarnation, name, self._node.name), now, f"hearsay: {why}")

    def _owe(self, message: PushPull, destination: Address, now: float) -> None:
        """The peer knows only us so far."""
        name = _name_at(message, destination)
        if name is None or name in self._owed or len(self._owed) >= LARGEST_OWED:
            return
        self._owed[name] = Timer(lambda when: self._follow_up(name, when))
        member = self._node.members.get(name)
        if member is not None and member.live:
            self.joined(member, now)

    def _follow_up(self, name: bytes, now: float) -> None:
        self._owed.pop(name, None)
        member = self._node.members.get(name)
        if member is not None and member.live and member is not self._node.own:
            self.begin(member.record.address, now, join=False)


def _peer(message: PushPull, source: Address) -> Address | None:
    """The gossip address of who opened a stream from `source`: ours put themselves first, others are looked for."""
    for state in message.states:
        if canonical(state.address).ip == source.ip:
            return canonical(state.address)
    return None


def _name_at(message: PushPull, address: Address | None) -> bytes | None:
    if address is None:
        return None
    return next((state.name for state in message.states if canonical(state.address) == address), None)


def _name_of(message: PushPull, address: Address | None) -> str:
    name = _name_at(message, address)
    return name.decode(errors="backslashreplace") if name is not None else "a node that is not in its own list"
