"""Counts by name, for `hepto gossip`: input that was refused, by reason, and what the core has done, by event."""

from collections import Counter
from enum import StrEnum

from hepto.gossip.reasons import GossipError, Reason


class Done(StrEnum):
    """What is worth counting beside refusals."""

    PROBES = "probes"
    PROBES_FAILED = "probes-failed"
    STREAM_PINGS = "stream-pings"
    """Probes that only the TCP ping answered: datagrams are lost on this path."""
    PAUSES = "pauses"
    """Times at which this process was found to have been stopped or starved."""
    REFUTATIONS = "refutations"
    SUSPICIONS = "suspicions"
    CONFIRMED_AT_ONCE = "confirmed-at-once"
    """Deaths declared on refused connections that several members saw."""
    PUSH_PULLS = "push-pulls"
    PUSH_PULLS_FAILED = "push-pulls-failed"


class Counters(Counter[str]):
    """Name -> how often."""

    def refused(self, reason: Reason | str) -> None:
        """Some input was dropped."""
        self[str(reason)] += 1

    def refused_error(self, error: GossipError) -> None:
        """The same, of an exception."""
        self[error.reason] += 1
