"""What the parts of one node's core have in common."""

import random
import zlib
from dataclasses import dataclass, field, replace

from hepto.gossip.agenda import Agenda
from hepto.gossip.application import Application
from hepto.gossip.counters import Counters
from hepto.gossip.health import Health
from hepto.gossip.members import Member, Members
from hepto.gossip.messages import NodeState, Status
from hepto.gossip.outbox import Outbox
from hepto.gossip.profile import Profile, transmissions
from hepto.gossip.settings import LARGEST_INCARNATION, Settings
from hepto.gossip.wire import Envelope


@dataclass(slots=True)
class Node:
    """Made once; its parts live as long as it does."""

    name: bytes
    profile: Profile
    dice: random.Random
    application: Application
    members: Members
    outbox: Outbox
    health: Health
    agenda: Agenda = field(default_factory=Agenda)
    counters: Counters = field(default_factory=Counters)
    leaving: bool = False

    @property
    def own(self) -> Member:
        """Our own record."""
        return self.members.own

    def raise_incarnation(self, above: int) -> None:
        """From now on we are newer than `above` and than we were."""
        record = self.own.record
        newest = min(max(record.incarnation, above) + 1, LARGEST_INCARNATION)
        self.own.record = replace(record, incarnation=newest)

    def observers(self, target: Member, count: int) -> list[Member]:
        """The live members of ours that look after a suspect at once. All of us find the same, without talking."""
        seed = zlib.crc32(target.record.name) ^ target.record.incarnation
        able = [member for member in self.members.others() if member.ours and member is not target]
        if self.own.ours:
            able.append(self.own)
        return sorted(able, key=lambda member: _rank(member.record.name, seed))[:count]

    def observes(self, target: Member, count: int) -> bool:
        """True if we are among the `observers`; most often found without ranking all."""
        if not self.own.ours:
            return False
        seed = zlib.crc32(target.record.name) ^ target.record.incarnation
        own_rank = _rank(self.name, seed)
        before = 0
        for member in self.members.others():
            if member.ours and member is not target and _rank(member.record.name, seed) < own_rank:
                before += 1
                if before == count:
                    return False
        return True


def _rank(name: bytes, seed: int) -> tuple[int, bytes]:
    return (zlib.crc32(name) ^ seed) * 2654435761 & 0xFFFFFFFF, name  # Knuth's multiplier spreads neighbours


def make_node(settings: Settings, envelope: Envelope, application: Application, dice: random.Random) -> Node:
    """A node that knows only itself."""
    incarnation = min(max(1, settings.incarnation), LARGEST_INCARNATION)
    versions = application.versions
    record = NodeState(settings.name, settings.address, settings.meta, incarnation, Status.ALIVE, versions)
    members = Members(Member(record, ours=application.is_ours(settings.meta), now=0.0))
    profile = settings.profile
    outbox = Outbox(
        envelope,
        settings.packet_bytes,
        first_sequence=dice.getrandbits(32),
        transmissions=lambda: transmissions(profile.retransmit_factor, len(members)),
    )
    return Node(settings.name, profile, dice, application, members, outbox, Health(profile.health_limit))
