"""Addresses that another machine had when duplicate address detection asked: they are tried again.

The kernel keeps such an address, unusable, for ever (RFC 4862 section 5.4.5 leaves it to the administrator). The other
machine may be gone by then, and nobody is on site; so it is removed now and then, and made anew: by the kernel from the
next advertisement, or by us if it was given.
"""

from hepto.net.model import Again, Interface

AGAIN_SECONDS = 60.0
MOST = 16
"""Addresses of one interface that are tried: a hostile link may make many."""


class Duplicates:
    """Of all interfaces."""

    def __init__(self) -> None:
        self._at: dict[Again, float] = {}

    def see(self, interfaces: tuple[Interface, ...], now: float) -> None:
        """What there is now."""
        failed = [
            Again(item.index, item.name, address.interface)
            for item in interfaces
            for address in [address for address in item.addresses if address.failed][:MOST]
            if item.carrier and not address.interface.ip.is_link_local
        ]
        self._at = {again: self._at.get(again, now + AGAIN_SECONDS) for again in failed}

    def deadline(self) -> float | None:
        """When the next is due."""
        return min(self._at.values(), default=None)

    def due(self, now: float) -> tuple[Again, ...]:
        """What is to be tried now; tried again if it fails again."""
        found = tuple(again for again, at in self._at.items() if at <= now)
        self._at.update(dict.fromkeys(found, now + AGAIN_SECONDS))
        return found
