"""How fast gossip is, and the arithmetic that follows from it. Three profiles, chosen by the option `profile`.

Figures and formulas are memberlist's (memberlist-wire.md sections 15, 17, 18, 20), since members of both kinds share a
cluster; those that are only ours are marked.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Profile:
    """Times in seconds."""

    stream_timeout: float
    """For a push/pull as a whole."""
    probe_interval: float
    """One member is probed each interval. A shorter one finds failures sooner and costs more packets."""
    probe_timeout: float
    """After which others are asked to ping it too. Above any round trip to expect; below `probe_interval`."""
    indirect_checks: int
    """How many are asked."""
    retransmit_factor: int
    """Transmissions of one piece of news by one node, times the logarithm of the number of members."""
    suspicion_factor: int
    """Probe intervals, times that logarithm, that a suspect has at least to refute."""
    suspicion_spread: int
    """How many times longer than that it has while nobody else confirms the suspicion."""
    health_limit: int
    """One more than the worst score of the local health."""
    push_pull_interval: float
    gossip_interval: float
    gossip_fanout: int
    gossip_to_dead: float
    """For so long after its death a member gets gossip (a chance to refute), then it is forgotten."""
    early: float
    """Ours. A peer whose round trip is known is probed through others already after this, if it is several round trips
    late: most of a probe's time is left for answers then, also for those of the ones asked."""
    reconnect: float
    """Ours (serf's, for its failed members). How often one of the members that failed is tried again."""


LAN = Profile(
    stream_timeout=10.0,
    probe_interval=1.0,
    probe_timeout=0.5,
    indirect_checks=3,
    retransmit_factor=4,
    suspicion_factor=4,
    suspicion_spread=6,
    health_limit=8,
    push_pull_interval=30.0,
    gossip_interval=0.2,
    gossip_fanout=3,
    gossip_to_dead=30.0,
    early=0.15,
    reconnect=15.0,
)
WAN = replace(
    LAN,
    stream_timeout=30.0,
    probe_interval=5.0,
    probe_timeout=3.0,
    suspicion_factor=6,
    push_pull_interval=60.0,
    gossip_interval=0.5,
    gossip_fanout=4,
    gossip_to_dead=60.0,
    early=0.6,
    reconnect=30.0,
)
LOCAL = replace(
    LAN,
    stream_timeout=1.0,
    probe_timeout=0.2,
    indirect_checks=1,
    retransmit_factor=2,
    suspicion_factor=3,
    push_pull_interval=15.0,
    gossip_interval=0.1,
    gossip_to_dead=15.0,
    early=0.05,
    reconnect=5.0,
)
PROFILES = {"lan": LAN, "wan": WAN, "local": LOCAL}

SCALE_FREE_MEMBERS = 32
"""Up to so many members push/pull keeps its base interval."""


def push_pull_interval(base: float, members: int) -> float:
    """Seconds between two exchanges of one node: rarer in large clusters, so that each answers about as often."""
    if members <= SCALE_FREE_MEMBERS:
        return base
    return base * (math.ceil(math.log2(members) - math.log2(SCALE_FREE_MEMBERS)) + 1)


def suspicion_minimum(factor: int, members: int, probe_interval: float) -> float:
    """Seconds that a suspect has to refute once everybody agrees that it looks dead."""
    scale = max(1.0, math.log10(max(1, members)))
    return factor * math.floor(scale * 1000) * probe_interval / 1000


def confirmations_wanted(factor: int, members: int) -> int:
    """How many members beside the first accuser shorten a suspicion to its minimum; 0: it starts there."""
    wanted = factor - 2
    return wanted if members - 2 >= wanted else 0


def suspicion_total(confirmations: int, wanted: int, minimum: float, maximum: float) -> float:
    """Seconds from the start of a suspicion to its end, after so many confirmations."""
    if wanted < 1:
        return minimum
    share = math.log(confirmations + 1) / math.log(wanted + 1)
    return max(minimum, math.floor((maximum - share * (maximum - minimum)) * 1000) / 1000)


def retransmit_limit(factor: int, members: int) -> int:
    """memberlist's number of transmissions: it jumps from factor to twice that at ten members."""
    return factor * math.ceil(math.log10(members + 1))


def transmissions(factor: int, members: int) -> int:
    """Ours: the same without the jumps, never more. At 20 and at 60 members 8, at 1,000 15: see broadcasts.py."""
    return min(retransmit_limit(factor, members), max(factor, math.ceil(factor * math.log10(members + 1)) + 2))
