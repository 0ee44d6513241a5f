"""Which versions of protocol and application get along (memberlist-wire.md section 12).

Six bytes: protocol minimum, maximum, current; the same of the application.
"""

from collections.abc import Iterable

PING_BY_STREAM = 3
"""Protocol maximum from which a member answers pings on a stream."""
NACKS = 4
"""From which it says so when a ping that it was asked for has failed."""

_TRIPLETS = (0, 3)


def fits(versions: bytes, own: bytes) -> bool:
    """True if two members can talk: each speaks what the other understands."""
    return len(versions) == 6 and all(
        versions[at] <= own[at + 2] <= versions[at + 1] and own[at] <= versions[at + 2] <= own[at + 1]
        for at in _TRIPLETS
    )


def agree(alive: Iterable[bytes], everybody: Iterable[bytes]) -> bool:
    """True if all of `everybody` speak what all that are alive understand: else a push/pull is refused as a whole."""
    living = {versions for versions in alive if len(versions) >= 6}
    speaking = {versions if len(versions) >= 6 else bytes(6) for versions in everybody}
    for at in _TRIPLETS:
        low = max((versions[at] for versions in living), default=0)
        high = min((versions[at + 1] for versions in living), default=255)
        if any(not low <= versions[at + 2] <= high for versions in speaking):
            return False
    return True
