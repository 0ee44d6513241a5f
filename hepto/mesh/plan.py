"""What the mesh interface is to look like: link, address and routes as comparable values."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from hepto.address import AddressPlan

INTERFACE = "wg0"
OVERHEAD = 80
"""Outer IPv6 header 40, UDP 8, WireGuard's header 16 and tag 16."""
MINIMUM_MTU = 1280
"""Below it an interface has no IPv6 at all, and says so nowhere (RFC 8200 section 5)."""
USUAL_MTU = 1500


@dataclass(frozen=True, slots=True)
class Route:
    destination: IPv6Network
    through_mesh: bool
    """False: unreachable."""


@dataclass(frozen=True, slots=True)
class Mesh:
    address: IPv6Address
    port: int
    mtu: int
    routes: tuple[Route, ...]
    """In the order of setting them."""


def mesh(plan: AddressPlan, node: str, port: int, underlay_mtu: int) -> Mesh:
    """The wanted state. `underlay_mtu` is 0 while the underlay is not known."""
    return Mesh(
        address=plan.node(node),
        port=port,
        mtu=max(MINIMUM_MTU, (underlay_mtu or USUAL_MTU) - OVERHEAD),
        routes=(
            # First: without it, what has no more specific route would follow the default route into the clear.
            Route(plan.prefix, through_mesh=False),
            # A host's dial to a ClusterIP is routed before it is translated, and takes its source from here.
            Route(plan.services, through_mesh=True),
        ),
    )
