"""The floor: a machine without a clock of its own starts in 1970, where no certificate is valid.

The image was built, the state saved and the node's certificates issued in the past, so it is later than all of them.
The clock is only ever set forward by this; where NTP is, it has the last word.
"""

from dataclasses import dataclass

YEAR = 365.2425 * 86400
PLAUSIBLE_YEARS = 5
"""A CA is made only by a clock between the image's build and so many years after it (trust.md section 5)."""
MARGIN = 60.0
"""Seconds by which a time that peers agree on may be before the floor: what was saved was right to so much."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Unix times; None: not known."""

    built: float | None = None
    saved: float | None = None
    issued: float | None = None
    """The newest that the cluster's CA has signed for this node: its grant's and certificates' latest not-before."""

    @property
    def instant(self) -> float:
        """It is certainly later than this."""
        known = [time for time in (self.saved, self.issued) if time is not None and self._believable(time)]
        return max([self.built or 0.0, *known])

    def accepts(self, time: float) -> bool:
        """True if this may become the node's time because others say so."""
        return plausible(time, self) and time >= self.instant - MARGIN

    def _believable(self, time: float) -> bool:
        # A clock that was once set to 2099 would be kept there for ever by its own saved time.
        return self.built is None or time <= self.built + PLAUSIBLE_YEARS * YEAR


def step(now: float, floor: Floor) -> float | None:
    """The time to set the clock to, None if it is not before the floor."""
    return floor.instant if now < floor.instant else None


def plausible(now: float, floor: Floor) -> bool:
    """True if `now` may date a cluster's CA without NTP."""
    return floor.built is not None and floor.built <= now <= floor.built + PLAUSIBLE_YEARS * YEAR
