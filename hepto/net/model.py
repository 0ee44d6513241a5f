"""The values that the network machine takes in and gives out. Everything here is frozen and comparable."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from hepto.machine import Effect, Event
from hepto.net.advertisement import Advertisement
from init.contract.status import Reason

PUBLIC_RESOLVERS = (IPv6Address("2620:fe::fe"), IPv6Address("2001:4860:4860::8888"))
"""Quad9 and Google: of two operators, so that one's outage takes no name resolution away (contract.md section 1)."""

# fmt: off
VIRTUAL_KINDS = frozenset((
    "bridge", "dummy", "erspan", "geneve", "gre", "gretap", "ifb", "ip6gre", "ip6gretap", "ip6tnl", "ipip", "ipvlan",
    "macsec", "netdevsim", "nlmon", "sit", "tun", "vcan", "vti6", "vrf", "vxlan", "wireguard", "xfrm",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of the configuration that the network sees (contract.md section 1)."""

    iface: str | None = None
    ip: IPv6Interface | None = None
    gw: IPv6Address | None = None
    dns: tuple[IPv6Address, ...] = ()
    search: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    interface: IPv6Interface
    tentative: bool = False
    failed: bool = False
    """Duplicate address detection found another owner."""
    dynamic: bool = False
    """It has a lifetime: the kernel has made it from an advertisement."""

    @property
    def usable(self) -> bool:
        """True if something outside the link can be reached with it."""
        return not (self.tentative or self.failed or self.interface.ip.is_link_local)


@dataclass(frozen=True, slots=True)
class Interface:
    index: int
    name: str
    ethernet: bool = True
    kind: str = ""
    """`veth`, `macvlan`, …; empty for hardware."""
    up: bool = False
    carrier: bool = False
    connections: int = 0
    """How often its carrier has come, which is seen even when it has gone and come between two looks."""
    mtu: int = 1500
    addresses: tuple[Address, ...] = ()
    gateways: tuple[IPv6Address, ...] = ()

    @property
    def could_be_underlay(self) -> bool:
        """False for what a node makes itself. A pod's veth is `veth…` (ptp); host mode's links are not."""
        return (
            self.ethernet and self.kind not in VIRTUAL_KINDS and not (self.kind == "veth" and self.name[:4] == "veth")
        )


@dataclass(frozen=True, slots=True)
class Observed(Event):
    """All links there are, with the addresses and default routes of those that matter."""

    interfaces: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class Received(Event):
    index: int
    advertisement: Advertisement


@dataclass(frozen=True, slots=True)
class Open(Effect):
    """Guard the interface by the firewall, then set the variables, then turn it on: in this order."""

    index: int
    name: str
    sysctls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Close(Effect):
    """Another interface is the underlay: turn this one off and let no advertisement in."""

    index: int
    name: str
    sysctls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Solicit(Effect):
    index: int
    name: str


@dataclass(frozen=True, slots=True)
class SetAddress(Effect):
    index: int
    interface: IPv6Interface


@dataclass(frozen=True, slots=True)
class SetGateway(Effect):
    index: int
    gateway: IPv6Address


@dataclass(frozen=True, slots=True)
class Withdraw(Effect):
    """Remove an address of a network that the interface has left, and the route to its neighbours there."""

    index: int
    interface: IPv6Interface


@dataclass(frozen=True, slots=True)
class Again(Effect):
    """Remove an address that another machine had, and ask the routers, so that it is made and tested anew."""

    index: int
    name: str
    interface: IPv6Interface


@dataclass(frozen=True, slots=True)
class RemoveGateway(Effect):
    index: int
    gateway: IPv6Address


@dataclass(frozen=True, slots=True)
class Missing:
    """The one thing that the underlay waits for."""

    reason: Reason
    subject: str
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class View:
    """What there is."""

    guarded: tuple[str, ...] = ()
    """Names of all interfaces that are or could become the underlay: the firewall holds for each."""
    interface: str = ""
    mtu: int = 0
    addresses: tuple[IPv6Address, ...] = ()
    gateways: tuple[IPv6Address, ...] = ()
    resolvers: tuple[str, ...] | None = None
    """For resolv.conf, link-local ones with their scope. None: not known yet, so change nothing."""
    search: tuple[str, ...] = ()
    nat64: IPv6Network | None = None
    heard: bool = False
    """A router has advertised: what it may advertise and is not here is not there."""
    missing: Missing | None = None
    since: float = 0.0
    """When `missing` became what it is."""
    warnings: tuple[str, ...] = ()
