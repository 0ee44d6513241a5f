"""A cable that was plugged in again, maybe somewhere else: which addresses and routers are of the network before.

The kernel keeps an address and the route to its prefix for as long as the router said, a day say, whatever the cable
leads to by now. A node that moved would take the hosts of its former network for neighbours, and never reach them. So
after the carrier has come back, and a router has answered, what nobody has advertised within a moment goes (RFC 6059
asks in the same way). As long as no router answers nothing goes: it may be the same network, whose router is away.

    carrier came back -> an advertisement -> PATIENCE later: `left` says what is to go
"""

from ipaddress import IPv6Address, IPv6Network

from hepto.net.advertisement import Advertisement
from hepto.net.model import Interface, RemoveGateway, Withdraw

PATIENCE = 2.0
"""Seconds in which further routers may answer. RFC 4861 section 6.2.6 gives each half a second."""


class Attachment:
    """Of one interface, from its carrier's return until what was left behind is removed."""

    def __init__(self) -> None:
        self.due: float | None = None
        """When `left` can be asked; None before a router has answered."""
        self._networks: set[IPv6Network] = set()
        self._routers: set[IPv6Address] = set()

    def hear(self, advertisement: Advertisement, now: float) -> bool:
        """True for the first answer."""
        first = self.due is None
        if self.due is None:
            self.due = now + PATIENCE
        # A prefix that is withdrawn is of this network all the same: how long it lives on is RFC 4862's business.
        self._networks.update(prefix.network for prefix in advertisement.prefixes)
        self._routers.add(advertisement.router)
        return first

    def left(self, item: Interface) -> tuple[Withdraw | RemoveGateway, ...]:
        """What the interface still has of another network. What an administrator has set stays."""
        addresses = (
            Withdraw(item.index, address.interface)
            for address in item.addresses
            if address.dynamic and not address.interface.ip.is_link_local
            if address.interface.network not in self._networks
        )
        routers = (RemoveGateway(item.index, gateway) for gateway in item.gateways if gateway not in self._routers)
        return (*addresses, *routers)
