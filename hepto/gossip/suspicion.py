"""One suspicion: how long a member has to refute, given who confirms it and what we have seen ourselves.

By the rules of memberlist (memberlist-wire.md section 15) the time shrinks from `maximum` to `minimum` with every
distinct accuser. Ours is what the kind of silence adds (model.Failure), as seen from here:

    own evidence   enough others accuse it too                      why
    REFUSED        over at once                                     the host says that the process has ended
    UNREACHABLE    over after `UNREACHABLE_SHARE` of the minimum    the host is gone, or several of us are cut off
    SILENT, none   as memberlist                                    a stopped or starved process looks like this

Enough is two, or all others in a smaller cluster, but never nobody: what one node sees alone may be its own fault.
"""

from hepto.gossip.agenda import Timer
from hepto.gossip.model import Failure
from hepto.gossip.profile import suspicion_total

ENOUGH = 2
"""Members beside us whose probes must have failed too."""
UNREACHABLE_SHARE = 0.5


class Suspicion:
    """From the first accusation to refutation or death. `timer` is set by whoever owns it to `due`."""

    __slots__ = ("_accusers", "_maximum", "_minimum", "_wanted", "enough", "evidence", "first", "started", "timer")

    def __init__(self, first: bytes, *, wanted: int, minimum: float, maximum: float, enough: int, now: float):
        self.first = first
        self.started = now
        self.enough = enough
        """So many others make our own evidence count; 0: there is nobody else."""
        self.evidence: Failure | None = None
        self.timer: Timer | None = None
        self._accusers = {first}
        self._wanted = wanted
        self._minimum = minimum
        self._maximum = maximum

    @property
    def accusers(self) -> frozenset[bytes]:
        """Who has accused it, the first one included."""
        return frozenset(self._accusers)

    def confirm(self, accuser: bytes) -> bool:
        """True if that is news worth passing on: a new accuser, and not more of them than shorten the time."""
        if accuser in self._accusers or len(self._accusers) > max(self._wanted, ENOUGH if self.enough else 0):
            return False
        self._accusers.add(accuser)
        return True

    def heard(self) -> None:
        """It has answered us after all: what we saw was no evidence."""
        self.evidence = None

    def certain(self, own_name: bytes) -> bool:
        """True if nothing is gained by waiting."""
        return self.evidence is Failure.REFUSED and self._agreed(own_name)

    def due(self, own_name: bytes) -> float:
        """When it is over, as far as we know now."""
        if self.certain(own_name):
            return self.started
        total = suspicion_total(min(len(self._accusers) - 1, self._wanted), self._wanted, self._minimum, self._maximum)
        if self.evidence is Failure.UNREACHABLE and self._agreed(own_name):
            total = min(total, self._minimum * UNREACHABLE_SHARE)
        return self.started + total

    def _agreed(self, own_name: bytes) -> bool:
        return 0 < self.enough <= len(self._accusers) - (own_name in self._accusers)
