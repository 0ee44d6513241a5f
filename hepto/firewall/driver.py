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
            if await self._apply():
                self._log.info("rules in force", underlay=underlay)

    async def close_api_server(self, closed: bool) -> None:
        """Keep all but this host from the apiserver, or let them in. Raises OSError; then it is as it was."""
        async with self._lock:
            self._policy = replace(self._policy, closed=closed)
            if self._applied is not None and await self._apply():
                self._log.info("the apiserver is closed" if closed else "the apiserver is open")

    async def _apply(self) -> bool:
        """False if all of it is in force."""
        if self._policy == self._applied:
            return False
        await nft.apply(transaction(self._policy))
        self._applied = self._policy
        return True
