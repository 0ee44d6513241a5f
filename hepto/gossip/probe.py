"""The failure detector: one member is probed each interval, and suspects by those who look after them.

    ping --> ack                                                              it is well
         --> nothing for a while, or an ICMP error --> TCP ping, helpers --> any answer: it is well
                                                                        --> none: it is accused, with the evidence

A while is memberlist's probe timeout, but several round trips where the round trip is known: what is left of the probe
serves for the helpers' answers. The probe as a whole ends when memberlist's ends, unless both UDP and TCP are refused:
then the process is gone, and there is nothing to wait for.

A *check* is a probe out of turn. When a suspicion is heard, its `OBSERVERS` (Node.observers: the same for all of us)
check the suspect, by ping and TCP at once. Those who find that nobody listens there, or that the host is gone, confirm
the suspicion; a stopped or starved process gives no such evidence, so it keeps memberlist's patience (suspicion.py).
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from hepto.gossip.agenda import OFF, Timer
from hepto.gossip.codec import encode
from hepto.gossip.counters import Done
from hepto.gossip.extension import Sight, encode_extension
from hepto.gossip.members import Member, canonical
from hepto.gossip.messages import Ack, Address, IndirectPing, Nack, Ping, Status, Suspect, User
from hepto.gossip.model import Failure
from hepto.gossip.node import Node
from hepto.gossip.versions import NACKS, PING_BY_STREAM
from hepto.gossip.view import View

OBSERVERS = 3
ROUND_TRIPS = 4
"""An answer that takes so many is late."""
LARGEST_CHECKS = 64
LARGEST_RELAYS = 64
"""Pings on behalf of others at once; more are not made."""
NACK_SHARE = 0.8
"""Of the probe timeout. At memberlist's own 1.0 a nack comes when the probe has just ended (section 14)."""
CALL_SHARE = 0.9
"""Of what is left of a probe: the TCP ping's time, so that its failure is known at the end."""
REMEMBERED_LATE = 64
"""Probes that have failed whose answer still tells that the member is alive after all."""


@dataclass(slots=True, eq=False)
class Probe:
    """One of ours that is under way."""

    target: Member
    incarnation: int
    sequence: int
    started: float
    ends: float
    timer: Timer
    check: bool
    asked: bool = False
    """Helpers."""
    called: bool = False
    """By TCP."""
    refused: bool = False
    """An ICMP error came."""
    failure: Failure | None = None
    """Of the call."""
    helpers: int = 0
    nacks: int = 0


@dataclass(slots=True, eq=False)
class Relay:
    """A ping for somebody else."""

    requester: Address
    sequence: int
    """In the request."""
    target: Address
    nack: bool
    timer: Timer = field(default_factory=lambda: Timer(lambda _: None))


class Prober:
    """All probes, checks and relays."""

    def __init__(self, node: Node, view: View):
        self._node = node
        self._view = view
        self._turn = Timer(self._next)
        self._current: Probe | None = None
        self._waiting: dict[int, Probe | Relay] = {}
        self._calls: dict[int, Probe] = {}
        self._late: OrderedDict[int, Member] = OrderedDict()

    def start(self, now: float) -> None:
        """From now on one member is probed each interval; the first within one."""
        self._node.agenda.set(self._turn, now + self._node.profile.probe_interval * self._node.dice.random())

    def stop(self) -> None:
        """No probes of our own any more; others' are answered."""
        self._node.agenda.cancel(self._turn)
        for probe in [probe for probe in self._waiting.values() if isinstance(probe, Probe)]:
            self._end(probe)

    # -- what comes in -----------------------------------------------------------------------------------------------

    def ack(self, message: Ack, source: Address, now: float) -> None:
        waiting = self._waiting.get(message.sequence)
        if isinstance(waiting, Probe):
            direct = source == canonical(waiting.target.record.address)
            if direct or not waiting.asked:
                waiting.target.measured(now - waiting.started)
            if not direct and not waiting.asked and waiting.target.ours:
                self._report(source)
            self._succeed(waiting, now)
        elif waiting is not None:
            self._drop_relay(message.sequence, waiting)
            self._node.outbox.send(waiting.requester, encode(Ack(waiting.sequence)))
        elif (late := self._late.pop(message.sequence, None)) is not None:
            self._view.heard(late, now)

    def nack(self, message: Nack) -> None:
        waiting = self._waiting.get(message.sequence)
        if isinstance(waiting, Probe):
            waiting.nacks += 1

    def asked(self, message: IndirectPing, requester: Address, now: float) -> None:
        """Somebody cannot reach a member and asks for our help; the answer goes to `requester`."""
        relays = sum(1 for waiting in self._waiting.values() if isinstance(waiting, Relay))
        if relays >= LARGEST_RELAYS:
            return
        node = self._node
        sequence = node.outbox.next_sequence()
        relay = Relay(requester, message.sequence, canonical(message.target), message.nack)
        relay.timer = Timer(lambda when: self._relay_late(sequence, relay, when), patient=True)
        self._waiting[sequence] = relay
        node.agenda.set(relay.timer, now + node.profile.probe_timeout * NACK_SHARE)
        node.outbox.send(message.target, encode(Ping(sequence, message.node)))

    def refused(self, destination: Address, now: float) -> None:
        """An ICMP error for datagrams to this address."""
        for sequence, waiting in list(self._waiting.items()):
            if isinstance(waiting, Relay):
                if waiting.target == destination:
                    self._relay_late(sequence, waiting, now)
            elif canonical(waiting.target.record.address) == destination:
                waiting.refused = True
                self._call(waiting, now)
                self._weigh(waiting, now)

    def answered(self, call: int, ok: bool, now: float) -> bool:
        """A TCP ping has come back. False: the call is not one of ours."""
        probe = self._calls.pop(call, None)
        if probe is not None and self._waiting.get(probe.sequence) is probe:
            if ok:
                self._node.counters[Done.STREAM_PINGS] += 1
                self._succeed(probe, now)
            else:
                probe.failure = Failure.REJECTED
        return probe is not None

    def failed(self, call: int, failure: Failure, now: float) -> bool:
        """A TCP ping has not come back. False: the call is not one of ours."""
        probe = self._calls.pop(call, None)
        if probe is not None and self._waiting.get(probe.sequence) is probe:
            probe.failure = failure
            self._weigh(probe, now)
        return probe is not None

    def suspected(self, member: Member, accuser: bytes, now: float) -> None:
        """A suspicion has begun: look after the member if that is our part, or tell those whose part it is."""
        if accuser == self._node.name:
            self._tell_observers(member)
        elif self._node.observes(member, OBSERVERS) and len(self._waiting) < LARGEST_CHECKS:
            self._begin(member, now, check=True)

    # -- a probe's life ----------------------------------------------------------------------------------------------

    def _next(self, now: float) -> None:
        node = self._node
        if self._current is not None:  # longer than an interval: it was put off by a pause of ours
            node.agenda.set(self._turn, max(now, self._current.timer.when))
            if self._current.timer.when != OFF:
                return
        member = node.members.next_to_probe()
        if member is None:
            for gone in node.members.turn(node.dice, now - node.profile.gossip_to_dead):
                self._view.forgotten(gone, now)
            member = node.members.next_to_probe()
        node.agenda.set(self._turn, now + node.health.scale(node.profile.probe_interval))
        if member is not None:
            node.counters[Done.PROBES] += 1
            self._current = self._begin(member, now, check=False)

    def _begin(self, member: Member, now: float, *, check: bool) -> Probe:
        node, record = self._node, member.record
        sequence = node.outbox.next_sequence()
        interval = node.profile.probe_interval
        ends = now + (interval if check else node.health.scale(interval))
        timer = Timer(lambda when: self._watch(probe, when), patient=True)
        probe = Probe(member, record.incarnation, sequence, now, ends, timer, check)
        self._waiting[sequence] = probe
        ping = encode(Ping(sequence, record.name))
        if record.status == Status.SUSPECT:
            accusation = encode(Suspect(record.incarnation, record.name, node.name))
            node.outbox.send_only(record.address, ping, accusation)
        else:
            node.outbox.send(record.address, ping, ours=member.ours)
        if check:
            self._call(probe, now)
        node.agenda.set(timer, min(ends, now + self._patience(member)))
        return probe

    def _patience(self, member: Member) -> float:
        """Seconds until an answer is late."""
        profile, round_trip = self._node.profile, member.round_trip
        if round_trip is None:
            return profile.probe_timeout
        return min(profile.probe_timeout, max(profile.early, ROUND_TRIPS * round_trip))

    def _watch(self, probe: Probe, now: float) -> None:
        """Its timer: the ack is late, or all time is up."""
        if probe.asked or now >= probe.ends:
            self._fail(probe, now)
            return
        probe.asked = True
        probe.ends = max(probe.ends, now + self._node.profile.probe_timeout)
        if not probe.check:
            self._ask_helpers(probe)
        self._call(probe, now)
        self._node.agenda.set(probe.timer, probe.ends)
        self._weigh(probe, now)

    def _ask_helpers(self, probe: Probe) -> None:
        node, target = self._node, probe.target
        helpers = node.members.choose(
            node.profile.indirect_checks,
            node.dice,
            lambda member: member.record.status == Status.ALIVE and member is not target,
        )
        for helper in helpers:
            nack = helper.record.versions[1] >= NACKS
            probe.helpers += nack
            request = IndirectPing(probe.sequence, target.record.address, target.record.name, nack)
            node.outbox.send(helper.record.address, encode(request), ours=helper.ours)

    def _call(self, probe: Probe, now: float) -> None:
        record = probe.target.record
        if not probe.called and record.versions[1] >= PING_BY_STREAM:
            probe.called = True
            deadline = now + CALL_SHARE * (probe.ends - now)
            call = self._node.outbox.call(record.address, Ping(probe.sequence, record.name), deadline)
            self._calls[call] = probe

    def _weigh(self, probe: Probe, now: float) -> None:
        """Is there anything to wait for? TCP alone may be refused by a firewall: then an ack still has its time."""
        if probe.failure is not Failure.REFUSED:
            return
        if probe.refused:
            self._fail(probe, now)
        elif probe.asked:
            wait = self._patience(probe.target) if probe.check else self._node.profile.probe_timeout
            self._node.agenda.set(probe.timer, min(probe.timer.when, max(now, probe.started + wait)))

    def _succeed(self, probe: Probe, now: float) -> None:
        self._end(probe)
        if not probe.check:
            self._node.health.probe_succeeded()
        self._view.heard(probe.target, now)

    def _fail(self, probe: Probe, now: float) -> None:
        self._end(probe)
        node, target = self._node, probe.target
        self._late[probe.sequence] = target
        if len(self._late) > REMEMBERED_LATE:
            self._late.popitem(last=False)
        gone = probe.failure in (Failure.REFUSED, Failure.UNREACHABLE)
        if not probe.check:
            node.counters[Done.PROBES_FAILED] += 1
            if probe.failure is not Failure.REFUSED:  # the host has answered, so it is not we who are slow
                node.health.probe_failed(probe.helpers, probe.nacks)
        if not probe.check or gone:
            begun = target.suspicion
            self._view.accuse(target, probe.incarnation, probe.failure, now)
            if begun is not None and begun is target.suspicion and gone:
                self._tell_observers(target)

    def _end(self, probe: Probe) -> None:
        del self._waiting[probe.sequence]
        self._node.agenda.cancel(probe.timer)
        if probe is self._current:
            self._current = None

    # -- telling others ----------------------------------------------------------------------------------------------

    def _tell_observers(self, member: Member) -> None:
        """Our accusation, straight to those who act on it and to the accused, who may refute."""
        node, record = self._node, member.record
        accusation = encode(Suspect(record.incarnation, record.name, node.name))
        receivers = {id(observer): observer for observer in node.observers(member, OBSERVERS)}
        first = node.members.get(member.suspicion.first) if member.suspicion else None
        if first is not None:
            receivers[id(first)] = first
        receivers[id(member)] = member
        for receiver in receivers.values():
            if receiver is not node.own:
                node.outbox.send_only(receiver.record.address, accusation)

    def _report(self, source: Address) -> None:
        """A member of ours answers from another address than its record says: a hint for it."""
        sight = encode_extension(Sight(source, self._node.name))
        self._node.outbox.send_only(source, encode(User(sight)))

    def _relay_late(self, sequence: int, relay: Relay, now: float) -> None:
        if relay.nack:
            relay.nack = False
            self._node.outbox.send(relay.requester, encode(Nack(relay.sequence)))
            self._node.agenda.set(relay.timer, now + self._node.profile.probe_timeout * (1 - NACK_SHARE))
        else:
            self._drop_relay(sequence, relay)

    def _drop_relay(self, sequence: int, relay: Relay) -> None:
        del self._waiting[sequence]
        self._node.agenda.cancel(relay.timer)
