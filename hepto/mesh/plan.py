"""What the mesh interface is to look like, and its peers: link, address and routes as values, changes as effects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from hepto.address import AddressPlan
from hepto.mesh.model import Peer, RemovePeer, RemoveRoute, SetPeer, SetRoute
from hepto.mesh.mtu import LEAST, OVERHEAD
from hepto.mesh.roster import Roster
from hepto.wireguard import Endpoint, KernelPeer

INTERFACE = "wg0"
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
    prefix: IPv6Network
    """The cluster's /48."""


def mesh(plan: AddressPlan, node: str, port: int, underlay_mtu: int) -> Mesh:
    """The wanted state. `underlay_mtu` is 0 while the underlay is not known."""
    return Mesh(
        address=plan.node(node),
        port=port,
        mtu=interface_mtu(underlay_mtu),
        routes=(
            # First: without it, what has no more specific route would follow the default route into the clear.
            Route(plan.prefix, through_mesh=False),
            # A host's dial to a ClusterIP is routed before it is translated, and takes its source from here.
            Route(plan.services, through_mesh=True),
        ),
        prefix=plan.prefix,
    )


def interface_mtu(underlay_mtu: int) -> int:
    """Bytes of a packet through wg0. `underlay_mtu` is 0 while the underlay is not known."""
    return max(LEAST, (underlay_mtu or USUAL_MTU) - OVERHEAD)


RouteTable = dict[IPv6Network, int | None]
"""Destination and MTU of each route through the mesh."""


def superseded(
    roster: Roster, revoked: frozenset[bytes], present: Mapping[bytes, KernelPeer], routes: RouteTable
) -> Iterator[RemovePeer | RemoveRoute]:
    """Peers whose grant is revoked or whose name has another key now, and their routes. No other is ever removed."""
    strangers = present.keys() - {peer.public_key for peer in roster.values()}
    if not strangers:
        return
    claimed = {network for peer in roster.values() for network in peer.allowed}
    for key in sorted(strangers):
        kernel = present[key]
        if key not in revoked and not claimed.intersection(kernel.allowed):
            continue
        yield RemovePeer(key)
        yield from (RemoveRoute(network) for network in kernel.allowed if network in routes and network not in claimed)


def change(peer: Peer, kernel: KernelPeer | None, endpoint: Endpoint | None, keepalive: int) -> SetPeer | None:
    """What it takes to make the kernel's peer the wanted one. `endpoint` None leaves the kernel's as it is."""
    if kernel is None:
        return SetPeer(peer.public_key, endpoint, peer.allowed, keepalive, new=True)
    if endpoint == kernel.endpoint:
        endpoint = None
    wanted = SetPeer(
        peer.public_key,
        endpoint,
        None if _same(kernel.allowed, peer.allowed) else peer.allowed,
        None if kernel.keepalive == keepalive else keepalive,
    )
    return None if wanted == SetPeer(peer.public_key) else wanted


def _same(one: tuple[IPv6Network, ...], other: tuple[IPv6Network, ...]) -> bool:
    """The kernel sorts them its own way. (Of two, a look at each costs less than two sets.)"""
    return len(one) == len(other) and all(network in one for network in other)


def route_changes(peer: Peer, mtu: int | None, routes: RouteTable) -> Iterator[SetRoute]:
    """What it takes to have a peer's routes, with this MTU."""
    for destination in peer.allowed:
        if destination not in routes or routes[destination] != mtu:
            yield SetRoute(destination, mtu)
