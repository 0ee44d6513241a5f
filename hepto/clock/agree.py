"""What several times say together: the median, which one peer's lie cannot move out of the range of the others'.

Two peers are the fewest that decide, and only if they agree: of two that differ one is wrong, and nobody knows which.
"""

from collections.abc import Sequence

FEWEST = 2
TOLERANCE = 5.0
"""Seconds. Whoever has its time from NTP or from peers is right to much less."""


def agree(others: Sequence[float], own: float | None = None) -> float | None:
    """The offset that `others` agree on, None if there is none.

    `own` is the node's own offset where it is as good as theirs: nodes that correct each other would otherwise swap
    their errors. With n offsets in all, fewer than half of which lie, the result is between two that do not; with two
    it is within TOLERANCE of both.
    """
    if len(others) < FEWEST:
        return None
    known = sorted(others if own is None else (*others, own))
    if len(known) == FEWEST and known[1] - known[0] > TOLERANCE:
        return None
    return known[(len(known) - 1) // 2]
