"""Takes in what is said of members, by the tables of verdicts.py, and tells everybody who has to know.

Only from here are the members' records changed. Each change becomes a line of the member's history, an effect, a
reaction of the application, and news for the others.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from hepto.gossip.agenda import GRACE, Timer
from hepto.gossip.codec import encode
from hepto.gossip.counters import Done
from hepto.gossip.gossiper import Gossiper, alive_of
from hepto.gossip.members import LARGEST_TABLE, Incident, Member
from hepto.gossip.messages import Address, Dead, NodeState, Status, Suspect
from hepto.gossip.model import Change, Conflict, Failure, MemberChanged
from hepto.gossip.node import Node
from hepto.gossip.profile import confirmations_wanted, suspicion_minimum
from hepto.gossip.reasons import Reason
from hepto.gossip.suspicion import ENOUGH, Suspicion
from hepto.gossip.verdicts import ELSEWHERE, OTHERS, OURSELVES, Verdict, verdict
from hepto.gossip.versions import fits

LARGEST_CONFLICTS = 256
"""Pairs of name and address that have been reported and are not again."""
CONFLICT_PATIENCE = 5.0
"""Seconds between two answers to somebody who goes by our name."""


class View:
    """Calls `suspected(member, accuser, now)` when a suspicion begins and `changed(change, member, now)` at changes."""

    def __init__(self, node: Node, gossiper: Gossiper):
        self.suspected: Callable[[Member, bytes, float], None] = lambda *_: None
        self.changed: Callable[[Change, Member, float], None] = lambda *_: None
        self._node = node
        self._gossiper = gossiper
        self._conflicts: set[tuple[bytes, Address]] = set()
        self._conflict_answered = -CONFLICT_PATIENCE
        self._newest: tuple[Incident] = (Incident(0.0, Change.JOINED, ""),)

    # -- what is said ------------------------------------------------------------------------------------------------

    def alive(self, said: NodeState, now: float, why: str, *, spread: bool = True) -> None:
        """`spread`: False if those who told us have told everybody."""
        known = self._node.members.get(said.name)
        if known is None:
            self._meet(said, now, why, spread=spread)
            return
        if known is self._node.own:
            self._alive_about_us(said, now)
            return
        record = known.record
        elsewhere = said.address != record.address
        row = ELSEWHERE[record.status] if elsewhere else OTHERS[Status.ALIVE, record.status]
        match verdict(row, said.incarnation, record.incarnation):
            case Verdict.ACCEPT:
                self._accept(known, said, now, why)
            case Verdict.RECLAIM if said.incarnation > record.incarnation or not known.ours:
                self._accept(known, said, now, why)
            case Verdict.MOVE if known.ours and self._node.application.may_move(known.claim(), alive_of(said)):
                self._accept(known, said, now, why)
            case Verdict.MOVE | Verdict.CONFLICT:
                self._conflict(known, said)
            case _:
                pass

    def suspect(self, said: Suspect, now: float, why: str = "") -> None:
        known = self._node.members.get(said.node)
        if known is None:
            return
        if known is self._node.own:
            self._accused(Status.SUSPECT, said.incarnation, said.accuser, now)
            return
        record = known.record
        match verdict(OTHERS[Status.SUSPECT, record.status], said.incarnation, record.incarnation):
            case Verdict.SUSPECT:
                self._begin(known, said, now, why or f"suspected by {_text(said.accuser)}")
            case Verdict.CONFIRM:
                assert known.suspicion is not None
                if known.suspicion.confirm(said.accuser):
                    known.remember((Incident(now, Change.SUSPECTED, why or f"also by {_text(said.accuser)}"),))
                    self._gossiper.spread(said.node, said, now)
                    self._arm(known, now)
            case _ if record.status >= Status.DEAD:
                self._tell_late(known, said.accuser)
            case _:
                pass

    def dead(self, said: Dead, now: float, why: str = "") -> None:
        """Also a farewell: a death that its subject tells."""
        known = self._node.members.get(said.node)
        if known is None:
            return
        status = Status.LEFT if said.node == said.accuser else Status.DEAD
        if known is self._node.own:
            self._accused(status, said.incarnation, said.accuser, now)
            return
        record = known.record
        if verdict(OTHERS[status, record.status], said.incarnation, record.incarnation) is Verdict.BURY:
            before = record.status
            self._calm(known)
            self._set(known, replace(record, incarnation=said.incarnation, status=status), now)
            self._gossiper.spread(said.node, said, now)
            if before != status:
                change = Change.LEFT if status is Status.LEFT else Change.FAILED
                by = "said so itself" if status is Status.LEFT else f"declared by {_text(said.accuser)}"
                self._tell(change, known, now, why or by)

    # -- what we have seen ourselves ---------------------------------------------------------------------------------

    def accuse(self, member: Member, incarnation: int, evidence: Failure | None, now: float) -> None:
        """Our own probe of it, begun at that incarnation, has failed; `evidence`: in which way, if that is known."""
        seen = evidence.value if evidence else "no answer"
        self.suspect(Suspect(incarnation, member.record.name, self._node.name), now, f"our own probe failed: {seen}")
        if member.suspicion is not None and member.record.incarnation == incarnation:
            member.suspicion.evidence = evidence
            self._arm(member, now)

    def heard(self, member: Member, now: float) -> None:
        """It has answered us."""
        if member.suspicion is not None and member.suspicion.evidence is not None:
            member.suspicion.evidence = None
            self._arm(member, now)

    def paused(self, seconds: float) -> None:
        """This process was stopped for so long: suspects had no chance to refute to us. (The timers know already.)"""
        for member in self._node.members:
            if member.suspicion is not None:
                member.suspicion.started += seconds + GRACE

    def forgotten(self, member: Member, now: float) -> None:
        """It has been dead for so long that it is no longer in the table."""
        self._tell(Change.FORGOTTEN, member, now, "dead for long")

    # -- about ourselves ---------------------------------------------------------------------------------------------

    def announce(self, now: float) -> None:
        """Tell everybody what is new about us."""
        self._gossiper.spread(self._node.name, alive_of(self._node.own.record), now)

    def refute(self, accusation: int, accuser: bytes | None, now: float) -> None:
        """Be newer than what is said of us; the accuser, if known, is told directly."""
        self._node.raise_incarnation(accusation)
        self._node.counters[Done.REFUTATIONS] += 1
        self.announce(now)
        self.changed(Change.REFUTED, self._node.own, now)
        whom = self._node.members.get(accuser) if accuser else None
        if whom is not None and whom is not self._node.own:
            self._node.outbox.send_only(whom.record.address, encode(alive_of(self._node.own.record)))

    def _accused(self, status: Status, incarnation: int, accuser: bytes, now: float) -> None:
        own = self._node.own.record
        if not self._node.leaving and verdict(OURSELVES[status], incarnation, own.incarnation) is Verdict.REFUTE:
            self._node.health.refuted()
            self.refute(incarnation, accuser, now)

    def _alive_about_us(self, said: NodeState, now: float) -> None:
        own = self._node.own.record
        same = (said.incarnation, said.address, said.meta) == (own.incarnation, own.address, own.meta)
        refute = verdict(OURSELVES[Status.ALIVE], said.incarnation, own.incarnation) is Verdict.REFUTE
        if self._node.leaving or not refute or (same and said.versions == own.versions):
            return
        if said.address != own.address:
            self._conflict(self._node.own, said)
            if now - self._conflict_answered < CONFLICT_PATIENCE:
                return
            self._conflict_answered = now
        else:
            self._node.health.refuted()
        self.refute(said.incarnation, None, now)

    def _tell_late(self, member: Member, accuser: bytes) -> None:
        """Who suspects what is dead has missed its death, and nobody confirms it any more."""
        whom = self._node.members.get(accuser)
        if whom is not None and whom is not self._node.own and whom is not member:
            record = member.record
            by = record.name if record.status == Status.LEFT else self._node.name
            self._node.outbox.send_only(whom.record.address, encode(Dead(record.incarnation, record.name, by)))

    # -- changes -----------------------------------------------------------------------------------------------------

    def _meet(self, said: NodeState, now: float, why: str, *, spread: bool) -> None:
        node = self._node
        if said.incarnation == 0 or len(node.members) >= LARGEST_TABLE:
            return
        if not fits(said.versions, node.application.versions):
            node.counters.refused(Reason.BAD_VERSIONS)
            return
        record = said if said.status is Status.ALIVE else replace(said, status=Status.ALIVE)
        member = Member(record, ours=node.application.is_ours(said.meta), now=now)
        node.members.add(member, node.dice)
        if spread:
            self._gossiper.spread(said.name, alive_of(record), now)
        self._tell(Change.JOINED, member, now, why)

    def _accept(self, member: Member, said: NodeState, now: float, why: str) -> None:
        node = self._node
        if not fits(said.versions, node.application.versions):
            node.counters.refused(Reason.BAD_VERSIONS)
            return
        before = member.record
        self._calm(member)
        self._set(member, replace(said, status=Status.ALIVE), now)
        if said.meta != before.meta:
            member.ours = node.application.is_ours(said.meta)
        self._gossiper.spread(said.name, alive_of(said), now)
        if said.address != before.address:
            member.round_trip = None
        if before.status >= Status.DEAD:
            self._tell(Change.JOINED, member, now, why)
        elif before.status == Status.SUSPECT:
            self._tell(Change.REFUTED, member, now, why)
        if before.status != Status.LEFT and said.address != before.address:
            self._tell(Change.MOVED, member, now, why)
        elif before.status < Status.DEAD and said.meta != before.meta:
            self._tell(Change.UPDATED, member, now, why)

    def _begin(self, member: Member, said: Suspect, now: float, why: str) -> None:
        node = self._node
        self._calm(member)
        self._set(member, replace(member.record, incarnation=said.incarnation, status=Status.SUSPECT), now)
        profile, count = node.profile, len(node.members)
        minimum = suspicion_minimum(profile.suspicion_factor, count, profile.probe_interval)
        member.suspicion = Suspicion(
            said.accuser,
            wanted=confirmations_wanted(profile.suspicion_factor, count),
            minimum=minimum,
            maximum=minimum * profile.suspicion_spread,
            enough=sum(1 for _ in islice((other for other in node.members.others() if other is not member), ENOUGH)),
            now=now,
        )
        member.suspicion.timer = Timer(lambda when: self._expired(member, when), patient=True)
        node.counters[Done.SUSPICIONS] += 1
        self._gossiper.spread(said.node, said, now)
        self._tell(Change.SUSPECTED, member, now, why)
        self._arm(member, now)
        self.suspected(member, said.accuser, now)

    def _arm(self, member: Member, now: float) -> None:
        suspicion = member.suspicion
        assert suspicion is not None
        assert suspicion.timer is not None
        self._node.agenda.set(suspicion.timer, max(now, suspicion.due(self._node.name)))

    def _calm(self, member: Member) -> None:
        if member.suspicion is not None:
            assert member.suspicion.timer is not None
            self._node.agenda.cancel(member.suspicion.timer)
            member.suspicion = None

    def _expired(self, member: Member, now: float) -> None:
        assert member.suspicion is not None
        accusers = b", ".join(sorted(member.suspicion.accusers))
        why = f"did not refute; suspected by {_text(accusers)}"
        if member.suspicion.certain(self._node.name):
            self._node.counters[Done.CONFIRMED_AT_ONCE] += 1
            why = f"nobody listens there; seen by {_text(accusers)}"
        said = Dead(member.record.incarnation, member.record.name, self._node.name)
        self.dead(said, now, why)
        self._node.outbox.send_only(member.record.address, encode(said))  # its last chance to refute

    def _conflict(self, known: Member, said: NodeState) -> None:
        self._node.counters.refused(Reason.NAME_CONFLICT)
        pair = (said.name, said.address)
        if pair not in self._conflicts:
            if len(self._conflicts) >= LARGEST_CONFLICTS:
                self._conflicts.clear()
            self._conflicts.add(pair)
            self._node.outbox.emit(Conflict(said.name, known.record.address, said.address))

    def _set(self, member: Member, record: NodeState, now: float) -> None:
        if record.status != member.record.status:
            member.since = now
        member.record = record

    def _tell(self, change: Change, member: Member, now: float, why: str) -> None:
        incident = (Incident(now, change, why),)
        self._newest = self._newest if self._newest == incident else incident
        member.remember(self._newest)
        claim = member.claim()
        self._node.outbox.emit(MemberChanged(change, claim))
        self._gossiper.react(self._node.application.changed(change, claim), now)
        self.changed(change, member, now)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
