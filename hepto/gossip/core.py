"""The gossip core: hands each event to the part that it is for.

    Datagram, Refused ------------> probe.py ---- what we saw ----.
    Accepted, Answered, CallFailed > exchange.py - what is said --+-> view.py -> members.py, news (broadcasts.py)
    Started, Resolved, SetAnchors -> anchors.py                   |
    SetMeta, SetAddress, Leave ----> about ourselves -------------'

No input raises: what others send is counted by reason and dropped if it breaks a rule.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hepto.gossip import model
from hepto.gossip.anchors import Anchors
from hepto.gossip.application import Application
from hepto.gossip.codec import encode
from hepto.gossip.counters import Counters, Done
from hepto.gossip.departure import Departure, Stage
from hepto.gossip.exchange import Exchange
from hepto.gossip.gossiper import Gossiper
from hepto.gossip.members import Incident, Member, canonical
from hepto.gossip.messages import (
    Ack,
    Address,
    Alive,
    Dead,
    IndirectPing,
    Nack,
    NodeState,
    Ping,
    PushPull,
    Status,
    Suspect,
    User,
)
from hepto.gossip.node import make_node
from hepto.gossip.probe import Prober
from hepto.gossip.reasons import GossipError, Reason
from hepto.gossip.remember import Memory
from hepto.gossip.settings import Settings
from hepto.gossip.sightings import Sightings
from hepto.gossip.view import View
from hepto.gossip.wire import Envelope
from hepto.machine import Effect, Event


class Gossip:
    """One node's membership, a hepto.machine.Machine."""

    def __init__(self, settings: Settings, envelope: Envelope, application: Application, dice: random.Random):
        node = make_node(settings, envelope, application, dice)
        self._node = node
        self._envelope = envelope
        self._gossiper = Gossiper(node)
        self._view = View(node, self._gossiper)
        self._prober = Prober(node, self._view)
        self._exchange = Exchange(node, self._view, self._gossiper)
        self._anchors = Anchors(node, self._exchange, settings.remembered, settings.port)
        self._anchors.replace(settings.anchors, None)
        self._departure = Departure(node, self._gossiper)
        self._sightings = Sightings(node)
        self._memory = Memory(node, settings.remembered)
        self._view.suspected = self._prober.suspected
        self._view.changed = self._changed
        self._started = False
        # Any: each handler takes its own kind of event or message, which the key says.
        self._events: dict[type[Event], Callable[[Any, float], None]] = {
            model.Started: self._start,
            model.Datagram: self._datagram,
            model.Accepted: self._accepted,
            model.Answered: self._answered,
            model.CallFailed: self._call_failed,
            model.Refused: lambda event, now: self._prober.refused(canonical(event.destination), now),
            model.Resolved: lambda event, now: self._anchors.resolved(event.anchor, event.addresses, now),
            model.Rejected: lambda event, _: self.counters.refused(event.reason),
            model.SetMeta: self._set_meta,
            model.SetAddress: self._set_address,
            model.SetAnchors: lambda event, now: self._anchors.replace(event.anchors, now if self._active else None),
            model.Broadcast: lambda event, now: self._gossiper.broadcast(event.data, now),
            model.SetShared: lambda event, _: application.share(event.data),
            model.Leave: self._leave,
        }
        self._messages: dict[type, Callable[[Any, Address, float], None]] = {
            Ping: self._ping,
            Ack: self._prober.ack,
            IndirectPing: self._indirect_ping,
            Nack: lambda message, *_: self._prober.nack(message),
            Suspect: lambda message, _, now: self._view.suspect(message, now),
            Dead: lambda message, _, now: self._view.dead(message, now),
            Alive: self._alive,
            User: self._user,
        }

    # -- the machine -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> None:
        """Take in one event of model.py."""
        self._wake_up(now)
        self._events[type(event)](event, now)

    def tick(self, now: float) -> None:
        """Time has reached `deadline()`."""
        self._wake_up(now)
        self._node.agenda.run(now)

    def deadline(self) -> float | None:
        """When `tick` is wanted next."""
        return self._node.agenda.deadline()

    def effects(self) -> tuple[Effect, ...]:
        """What is to be done since the last call."""
        return self._node.outbox.drain()

    # -- looking in --------------------------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """Named events and reasons of refusal -> how often."""
        return self._node.counters

    @property
    def health(self) -> int:
        """Lifeguard's local score: 0 is well."""
        return self._node.health.score

    def members(self) -> tuple[model.Claim, ...]:
        """All that are known, dead ones and ourselves included."""
        return tuple(member.claim() for member in self._node.members)

    def history(self, name: bytes) -> tuple[Incident, ...]:
        """What has become of a member and why, oldest first; nothing about one that is not known."""
        member = self._node.members.get(name)
        return member.history if member is not None else ()

    # -- events ------------------------------------------------------------------------------------------------------

    @property
    def _active(self) -> bool:
        return self._started and self._departure.stage is Stage.HERE

    def _wake_up(self, now: float) -> None:
        slept = self._node.agenda.slept(now)
        if slept:
            self.counters[Done.PAUSES] += 1
            self._view.paused(slept)

    def _start(self, event: model.Started, now: float) -> None:
        del event
        if self._started:
            return
        self._started = True
        self._node.own.since = now
        self._prober.start(now)
        self._exchange.start(now)
        self._anchors.start(now)
        self._sightings.start(now)
        self._memory.start(now)

    def _datagram(self, event: model.Datagram, now: float) -> None:
        try:
            opened = self._envelope.open(event.data)
        except GossipError as error:
            self.counters.refused_error(error)
            return
        for bad in opened.bad:
            self.counters.refused_error(bad)
        for message in opened.messages:
            self._messages[type(message)](message, event.source, now)

    def _accepted(self, event: model.Accepted, now: float) -> None:
        match event.message:
            case PushPull():
                self._exchange.accepted(event.stream, event.message, canonical(event.source), now)
                return
            case Ping(sequence=sequence, node=node) if node in (b"", self._node.name):
                answer: Ack | None = Ack(sequence)
            case User() as message:
                self._user(message, event.source, now)
                answer = None
            case _:
                self.counters.refused(Reason.NOT_FOR_US)
                answer = None
        self._node.outbox.emit(model.Answer(event.stream, answer))

    def _answered(self, event: model.Answered, now: float) -> None:
        if not self._prober.answered(event.call, isinstance(event.message, Ack), now):
            self._exchange.answered(event.call, event.message, now)

    def _call_failed(self, event: model.CallFailed, now: float) -> None:
        if not self._prober.failed(event.call, event.failure, now):
            self._exchange.failed(event.call, event.detail, now)

    def _set_meta(self, event: model.SetMeta, now: float) -> None:
        own = self._node.own
        own.record = replace(own.record, meta=event.meta)
        own.ours = self._node.application.is_ours(event.meta)
        self._changed_ourselves(now)

    def _set_address(self, event: model.SetAddress, now: float) -> None:
        if event.address == self._node.own.record.address:
            return
        self._node.own.record = replace(self._node.own.record, address=event.address)
        self._changed_ourselves(now)
        self._sightings.ask(now)

    def _changed_ourselves(self, now: float) -> None:
        if self._departure.stage in (Stage.HERE, Stage.FAREWELL):
            self._node.raise_incarnation(0)
            self._view.announce(now)
            self._memory.changed(now)

    def _leave(self, event: model.Leave, now: float) -> None:
        del event
        self._prober.stop()
        self._exchange.stop()
        self._anchors.stop()
        self._departure.begin(now)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _ping(self, message: Ping, source: Address, now: float) -> None:
        del now
        if message.node and message.node != self._node.name:
            self.counters.refused(Reason.NOT_FOR_US)
            return
        self._node.outbox.send(_reply_to(message, source), encode(Ack(message.sequence)))

    def _indirect_ping(self, message: IndirectPing, source: Address, now: float) -> None:
        self._prober.asked(message, _reply_to(message, source), now)

    def _alive(self, message: Alive, source: Address, now: float) -> None:
        del source
        state = NodeState(
            message.node, message.address, message.meta, message.incarnation, Status.ALIVE, message.versions
        )
        self._view.alive(state, now, "gossip")

    def _user(self, message: User, source: Address, now: float) -> None:
        try:
            if not self._sightings.take(message.data, source):
                self._gossiper.react(self._node.application.message(message.data), now)
        except GossipError as error:
            self.counters.refused_error(error)

    def _changed(self, change: model.Change, member: Member, now: float) -> None:
        if change is model.Change.JOINED:
            self._exchange.joined(member, now)
            self._gossiper.wake(now)
        elif change is model.Change.FORGOTTEN and member.record.status == Status.DEAD:
            self._anchors.buried(member.record.address, now)
        self._memory.changed(now)


def _reply_to(message: Ping | IndirectPing, source: Address) -> Address:
    """Where it wants the answer, if that is the host it came from: nobody is flooded with answers to others' pings."""
    wanted = message.source
    return wanted if wanted is not None and canonical(wanted).ip == canonical(source).ip else source
