"""Puts the firewall in force, one transaction at a time."""

import asyncio
from dataclasses import replace

from hepto.edge import nft
from hepto.firewall.ruleset import Policy, transaction
from hepto.log import Log


class Firewall:
    """`guard` returns when the rules hold for these interfaces; the network turns no interface on before that."""

    def __init__(self, policy: Policy):
        self._policy = policy
        self._applied: Policy | None = None
        self._lock = asyncio.Lock()
        self._log = Log("firewall")

    async def guard(self, underlay: tuple[str, ...]) -> None:
        """Rules for these underlay interfaces. Raises OSError; then what was in force still is."""
        async with self._lock:
            self._policy = replace(self._policy, underlay=underlay)
            if self._policy == self._applied:
                return
            await nft.apply(transaction(self._policy))
            self._applied = self._policy
            self._log.info("rules in force", underlay=underlay)
