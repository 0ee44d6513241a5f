"""The values that the mesh machine takes in and gives out: frozen, comparable, and without a secret."""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network

from hepto.machine import Effect, Event
from hepto.wireguard import Endpoint, KernelPeer


@dataclass(frozen=True, slots=True)
class Peer:
    """What a verified grant and an endpoint record say about another node."""

    name: str
    public_key: bytes
    """32 bytes, X25519."""
    address: IPv6Address
    pods: IPv6Network
    serial: int
    """The grant's."""
    endpoints: tuple[Endpoint, ...] = ()
    """Best first: those of the signed record, then what others have seen."""
    allowed: tuple[IPv6Network, ...] = field(init=False, repr=False, compare=False)
    """Whose packets come from it and go to it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", (IPv6Network((self.address, 128)), self.pods))


@dataclass(frozen=True, slots=True)
class Own:
    """What no peer may claim, and what is no endpoint."""

    public_key: bytes
    address: IPv6Address
    prefix: IPv6Network
    """The cluster's /48."""


# --- events


@dataclass(frozen=True, slots=True)
class Peers(Event):
    """The peers that are known now. One that is absent is not known, which removes nothing (trust.md section 2)."""

    peers: tuple[Peer, ...]
    revoked: frozenset[bytes] = frozenset()
    """WireGuard keys of revoked grants."""


@dataclass(frozen=True, slots=True)
class Kernel(Event):
    """A whole dump of the device."""

    peers: tuple[KernelPeer, ...]
    wall: float
    """Unix seconds at that instant, by the clock that the handshakes were written down with."""


@dataclass(frozen=True, slots=True)
class Routes(Event):
    """The routes through the device with the node's address as their source, and the MTU of each, if it has one."""

    routes: tuple[tuple[IPv6Network, int | None], ...]


@dataclass(frozen=True, slots=True)
class Underlay(Event):
    """The underlay is another now: this node's addresses on it, and the MTU of the mesh's interface."""

    addresses: tuple[IPv6Address, ...]
    mtu: int


@dataclass(frozen=True, slots=True)
class Echoed(Event):
    """The answer to a Probe came back."""

    address: IPv6Address
    sequence: int
    path: int = 0
    """What the kernel takes for the path MTU to the peer's endpoint at that instant; 0: the link's."""


# --- effects


@dataclass(frozen=True, slots=True)
class SetPeer(Effect):
    """None leaves a thing as it is."""

    public_key: bytes
    endpoint: Endpoint | None = None
    allowed: tuple[IPv6Network, ...] | None = None
    keepalive: int | None = None
    new: bool = False


@dataclass(frozen=True, slots=True)
class RemovePeer(Effect):
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SetRoute(Effect):
    """A route through the mesh, or another MTU for the one that is there; None: the interface's."""

    destination: IPv6Network
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveRoute(Effect):
    destination: IPv6Network


@dataclass(frozen=True, slots=True)
class Look(Effect):
    """Read the device, and with `routes` the routes through it."""

    routes: bool = False


@dataclass(frozen=True, slots=True)
class Probe(Effect):
    """An ICMPv6 echo request through the mesh, `size` bytes with the IPv6 header, that nobody may fragment."""

    address: IPv6Address
    endpoint: Endpoint | None
    sequence: int
    size: int


@dataclass(frozen=True, slots=True)
class Cut(Effect):
    """WireGuard's own packets to this address go in fragments of `size` bytes; None: as they are."""

    address: IPv6Address
    size: int | None


# --- the view


class State(StrEnum):
    """How it stands with a peer."""

    UP = "up"
    """It has been heard, with its key, within the last three minutes."""
    DOWN = "down"
    """It was called and has not answered."""
    UNKNOWN = "unknown"
    """Nothing has been tried yet, or there was nothing to say."""


@dataclass(frozen=True, slots=True)
class PeerView:
    name: str
    address: IPv6Address
    state: State
    since: float
    """Monotonic seconds."""
    endpoint: Endpoint | None
    mtu: int | None
    """Largest packet through the mesh to this peer, None while it is not measured."""
    reason: str
    """Why it is not up, or why the MTU is what it is; empty when there is nothing to say."""


@dataclass(frozen=True, slots=True)
class View:
    peers: tuple[PeerView, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    """Names that are in no mesh of ours, and the reason of each (`hepto.mesh.roster.Refusal`)."""
