"""The floor: a machine without a clock of its own starts in 1970, where no certificate is valid.

The image was built and the state saved in the past, so it is later than both. The clock is only ever set forward by
this; where NTP is, it has the last word.
"""

from dataclasses import dataclass

YEAR = 365.2425 * 86400
PLAUSIBLE_YEARS = 5
"""A CA is made only by a clock between the image's build and so many years after it (trust.md section 5)."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Unix times; None: not known."""

    built: float | None = None
    saved: float | None = None

    @property
    def instant(self) -> float:
        """It is certainly later than this."""
        known = [self.saved] if self.saved is not None and self._believable(self.saved) else []
        return max([self.built or 0.0, *known])

    def _believable(self, saved: float) -> bool:
        # A clock that was once set to 2099 would be kept there for ever by its own saved time.
        return self.built is None or saved <= self.built + PLAUSIBLE_YEARS * YEAR


def step(now: float, floor: Floor) -> float | None:
    """The time to set the clock to, None if it is not before the floor."""
    return floor.instant if now < floor.instant else None


def plausible(now: float, floor: Floor) -> bool:
    """True if `now` may date a cluster's CA without NTP."""
    return floor.built is not None and floor.built <= now <= floor.built + PLAUSIBLE_YEARS * YEAR
