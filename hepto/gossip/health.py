"""Lifeguard's local health: a node that is itself in trouble is slower to blame others (memberlist-wire.md section 16).

0 is well. Every probe that failed without the helpers saying so too, and every refutation that we had to make, hints
that it is we who are slow.
"""


class Health:
    """A score from 0 to `limit` - 1."""

    __slots__ = ("_limit", "score")

    def __init__(self, limit: int):
        self._limit = limit
        self.score = 0

    def probe_succeeded(self) -> None:
        self._add(-1)

    def probe_failed(self, helpers: int, answers: int) -> None:
        """So many were asked who would say that they got no answer either, and so many did."""
        self._add(helpers - answers if helpers else 1)

    def refuted(self) -> None:
        self._add(1)

    def scale(self, interval: float) -> float:
        """The probe interval of a node in this state."""
        return interval * (self.score + 1)

    def _add(self, change: int) -> None:
        self.score = min(max(0, self.score + change), self._limit - 1)
