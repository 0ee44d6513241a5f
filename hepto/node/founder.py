"""The master that makes a cluster and signs for it (trust.md section 5)."""

from datetime import datetime
from typing import Final

from hepto.log import Log
from hepto.node.board import Board
from hepto.node.facts import Clock
from hepto.node.keys import Keys
from hepto.pki.driver import ImplausibleClockError, Pki
from init.contract.status import Reason

LONGEST_PAUSE: Final = 60.0
"""Deadlines of certificates are wall time, which may be set: look at them anew at least so often."""
CERTIFICATES: Final = "certificates"


def seconds_until(due: datetime | None, now: datetime) -> float:
    """How long to wait for it at most."""
    return LONGEST_PAUSE if due is None else min(LONGEST_PAUSE, max(1.0, (due - now).total_seconds()))


class Founder:
    """Makes the cluster once, and renews what is due."""

    def __init__(self, board: Board, keys: Keys, pki: Pki):
        self.master = pki.subject.node
        self._board = board
        self._keys = keys
        self._pki = pki
        self._log = Log("pki")
        self.fresh = True
        """Something was issued that nobody has looked at yet."""
        self._due: datetime | None = None
        self._looked: datetime | None = None
        self._granted = b""
        """The WireGuard key that the grant is for: another one needs another grant."""

    def settle(self, now: datetime, *, plausible: bool) -> bool:
        """True if all keys and certificates are there. Raises UserError, OSError."""
        # What is in order at one time is from the future at an earlier one, to which the clock may have been set back.
        back = self._looked is not None and now < self._looked
        if self._due is None or now >= self._due or back or self._granted != self._keys.wireguard:
            self._looked, self.fresh = now, True
            try:
                issued = self._pki.establish(now, plausible=plausible)
                self._pki.enrol_master(self._keys.identity, self._keys.wireguard, now)
            except ImplausibleClockError:
                what, hint = "no cluster is made with an implausible clock", "let NTP in, or set the machine's clock"
                self._board.problem(CERTIFICATES, Reason.CLOCK, "", what, hint)
                return False
            self._due, self._granted = self._pki.deadline(now), self._keys.wireguard
            if issued:
                self._log.info("certificates issued", profiles=[due.profile.name for due in issued])
                if self._board.facts.clock is not Clock.SYNCHRONISED:
                    self._log.warning("they are dated by a clock that NTP has not set yet", time=now.isoformat())
        self._board.solved(CERTIFICATES)
        return True

    def renew(self) -> None:
        """Look at what is due, whatever was said of it before."""
        self._due = None

    def pause(self, now: datetime) -> float:
        """Seconds until something is due."""
        return seconds_until(self._due, now)

    async def run(self) -> None:
        """A founder asks nobody."""
