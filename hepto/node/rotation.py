"""Which keys gossip uses while the cluster's keyring changes: nobody may fall silent for it. Pure.

A new primary key reaches the nodes one by one, in their renewals. So each first only reads it; when all had time to
hear of it, it encrypts; later the old keys, which a revoked node has, are no longer read.
"""

from typing import Final

from hepto.values import Secret

PROMOTE: Final = 60.0
"""Seconds until a new key encrypts: all nodes ask for it within RENEWALS after the list of revocations."""
RENEWALS: Final = 15.0
"""Seconds over which nodes spread their renewals: one master answers all."""
RETIRE: Final = 600.0
"""Seconds until the old keys are dropped."""

Keys = tuple[Secret, ...]


class Rotation:
    """Of one node. The keys are its keyring, primary first; empty in a cluster without a key."""

    def __init__(self, keys: Keys, now: float):
        self._keys = keys
        self._before = keys
        self._since = now

    def change(self, keys: Keys, now: float) -> None:
        """The keyring as it is now; the same again changes nothing."""
        if keys != self._keys:
            self._before, self._keys, self._since = self.ring(now), keys, now

    def ring(self, now: float) -> Keys:
        """What gossip is to use, the first to encrypt."""
        age = now - self._since
        if self._before[:1] != self._keys[:1] and age < PROMOTE:
            return tuple(dict.fromkeys((*self._before[:1], *self._keys)))
        return self._keys if age < RETIRE else self._keys[:1]
