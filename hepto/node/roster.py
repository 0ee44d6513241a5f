"""Who belongs to the cluster: from gossip's claims, by grants, to the peers of the mesh. No I/O, no clock.

Promises: only a grant that the cluster's CA has signed for the member's own name makes a peer, and only an endpoint
record signed by the identity in that grant says for sure where it is; what gossip alone says is one hint more. Nothing
that gossip says, and nothing that it no longer says, takes a peer away: only a revocation does, or a newer grant.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from cryptography import x509

from hepto.address import AddressPlan
from hepto.errors import PeerError
from hepto.gossip.plain import EndpointRecord, Meta
from hepto.mesh.model import Peer
from hepto.pki import endpoint, grant
from hepto.pki.grant import Grant
from hepto.pki.revocations import Revocations
from hepto.wireguard import Endpoint

MOST_JUDGED: Final = 20_000
"""Verdicts on grants that are remembered; a P-256 signature takes a tenth of a millisecond to verify."""


@dataclass(frozen=True, slots=True)
class Said:
    """What gossip says of one member."""

    name: str
    address: IPv6Address
    """Where its datagrams come from."""
    meta: Meta


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A node with a grant, and where it is."""

    grant: Grant
    record: EndpointRecord | None = None
    """The newest that its identity has signed."""
    seen: IPv6Address | None = None
    """Where gossip hears it: a hint that nobody has signed."""


@dataclass(frozen=True, slots=True)
class _View:
    """What follows from all that is known."""

    peers: tuple[Peer, ...]
    revoked: frozenset[bytes]
    addresses: frozenset[bytes]


class Roster:
    """The other nodes of one node's cluster. `own` is its name."""

    def __init__(self, plan: AddressPlan, own: str):
        self.refused: Counter[str] = Counter()
        self._plan = plan
        self._own = own
        self._authority: x509.Certificate | None = None
        self._revocations = Revocations(0, ())
        self._enrolled: dict[str, Enrolled] = {}
        self._judged: dict[tuple[str, bytes], Grant | None] = {}
        self._forged: set[tuple[str, bytes, EndpointRecord]] = set()
        self._refused: set[tuple[str, str, int]] = set()
        self._view: _View | None = None

    # --- whom to believe

    def trust(self, authority: x509.Certificate) -> None:
        """The CA whose grants count: set once, for a node never changes its cluster."""
        if authority != self._authority:
            assert self._authority is None, "a cluster has one CA"
            self._authority = authority
            self._judged.clear()

    def revoke(self, revocations: Revocations) -> bool:
        """Take over a verified list; False if it is not newer than the one there is."""
        if revocations.version <= self._revocations.version:
            return False
        self._revocations = revocations
        self._view = None
        return True

    @property
    def revocations(self) -> Revocations:
        """The newest list."""
        return self._revocations

    def verify(self, name: bytes, meta: Meta) -> bool:
        """gossip.plain.Verifier: the record is signed by the identity of a good grant of that name."""
        found = self._judge(name.decode(errors="replace"), meta.grant)
        return found is not None and _signed(found, meta.endpoint)

    # --- what is heard

    def learn(self, said: Iterable[Said], unix: float | None = None) -> bool:
        """Take in what gossip says; True if anything about a peer has changed.

        `unix`: the time if it can be trusted. A grant that has expired admits nobody who is not in already.
        """
        before = dict(self._enrolled)
        for member in said:
            if member.name == self._own:
                continue
            found = self._judge(member.name, member.meta.grant)
            known = self._enrolled.get(member.name)
            if found is not None and known is None and unix is not None and not found.valid_at(unix):
                self._refuse("expired-grant", (member.name, found.serial))
            elif found is not None:
                self.enrol(found, member.meta.endpoint, member.address)
            elif known is not None:  # its meta may be empty after a restart: what was proved stays proved
                self._move(known, member.meta.endpoint, member.address)
        return before != self._enrolled

    def enrol(self, found: Grant, record: EndpointRecord | None = None, seen: IPv6Address | None = None) -> None:
        """A node whose grant is verified. An older grant than the one known changes nothing."""
        known = self._enrolled.get(found.node)
        if known is not None and found.serial < known.grant.serial:
            self._refuse("old-grant", (found.node, found.serial))
            return
        if known is None or found.serial > known.grant.serial:
            known = Enrolled(found, known.record if known else None, known.seen if known else None)
            self._keep(known)
        if record is not None:
            self._move(known, record, seen)

    def _move(self, known: Enrolled, record: EndpointRecord, seen: IPv6Address | None) -> None:
        newer = known.record is None or record.counter > known.record.counter
        if newer and self._is_signed(known.grant, record):
            self._keep(Enrolled(known.grant, record, seen))
        elif seen is not None and seen != known.seen:
            self._keep(Enrolled(known.grant, known.record, seen))

    def _keep(self, enrolled: Enrolled) -> None:
        self._enrolled[enrolled.grant.node] = enrolled
        self._view = None

    def _is_signed(self, found: Grant, record: EndpointRecord) -> bool:
        """A forged one is judged once: whoever has the gossip key could have us verify all day."""
        key = (found.node, found.identity, record)
        if key in self._forged:
            return False
        if _signed(found, record):
            return True
        if len(self._forged) >= MOST_JUDGED:
            self._forged.clear()
        self._forged.add(key)
        self.refused["bad-endpoint"] += 1
        return False

    def _refuse(self, reason: str, what: tuple[str, int]) -> None:
        """Counted once for each: gossip says the same again and again."""
        if (reason, *what) not in self._refused:
            if len(self._refused) >= MOST_JUDGED:
                self._refused.clear()
            self._refused.add((reason, *what))
            self.refused[reason] += 1

    def _judge(self, name: str, data: bytes | None) -> Grant | None:
        if data is None or self._authority is None:
            return None
        key = (name, data)
        if key not in self._judged:
            if len(self._judged) >= MOST_JUDGED:
                self._judged.clear()
            self._judged[key] = self._verdict(name, data, self._authority)
        return self._judged[key]

    def _verdict(self, name: str, data: bytes, authority: x509.Certificate) -> Grant | None:
        try:
            return grant.verify(data, name, authority)
        except PeerError as error:
            self.refused[error.reason] += 1
            return None

    # --- who they are

    @property
    def enrolled(self) -> Mapping[str, Enrolled]:
        """The other nodes that have proved that they belong to the cluster, revoked ones included."""
        return self._enrolled

    def is_revoked(self, found: Grant) -> bool:
        """True if that grant counts no longer."""
        return self._revocations.holds(found.serial)

    def is_master(self, name: str) -> bool:
        """True if that node has the grant of a master."""
        known = self._enrolled.get(name)
        return known is not None and known.grant.role.has_control_plane and not self.is_revoked(known.grant)

    def node_at(self, address: IPv6Address) -> str | None:
        """The node with this address on the mesh."""
        return next((peer.name for peer in self.peers() if peer.address == address), None)

    def revoked_keys(self) -> frozenset[bytes]:
        """WireGuard keys that must not be in the mesh."""
        return self._seen().revoked

    def peers(self) -> tuple[Peer, ...]:
        """Those that belong into the mesh, by name."""
        return self._seen().peers

    def has(self, ip: bytes) -> bool:
        """True if these 16 bytes are the address of a node of the cluster, on the mesh or as gossip hears it."""
        return ip in self._seen().addresses

    def _seen(self) -> _View:
        """Made anew after a change: it is asked for at every change of anything."""
        if self._view is None:
            known = sorted(self._enrolled.items())
            peers = tuple(self._peer(one) for _, one in known if not self.is_revoked(one.grant))
            seen = (one.seen.packed for _, one in known if one.seen is not None)
            self._view = _View(
                peers,
                frozenset(one.grant.wireguard for _, one in known if self.is_revoked(one.grant)),
                frozenset((*(peer.address.packed for peer in peers), *seen)),
            )
        return self._view

    def _peer(self, known: Enrolled) -> Peer:
        found = known.grant
        return Peer(
            name=found.node,
            public_key=found.wireguard,
            address=self._plan.node(found.node),
            pods=self._plan.pod_subnet(found.node),
            serial=found.serial,
            endpoints=_endpoints(known),
        )


def claims_control_plane(member: Said) -> bool:
    """True if it says, proved or not, that it is a master: whom to ask first."""
    try:
        return grant.read(member.meta.grant or b"", member.name).role.has_control_plane
    except PeerError:
        return False


def _endpoints(known: Enrolled) -> tuple[Endpoint, ...]:
    """Where to try it: what it has signed, in its order; then where gossip hears it."""
    if known.record is None or not known.record.mesh_port:
        return ()
    places = [IPv6Address(address) for address in known.record.addresses]
    if known.seen is not None:
        places.append(known.seen)
    return tuple(Endpoint(place, known.record.mesh_port) for place in dict.fromkeys(places))


def _signed(found: Grant, record: EndpointRecord) -> bool:
    return endpoint.verify(
        found.identity,
        found.node,
        record.addresses,
        record.api_port,
        record.mesh_port,
        record.counter,
        record.signature,
    )
