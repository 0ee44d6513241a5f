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
from hepto.mesh.model import Endpoint, Peer
from hepto.pki import endpoint, grant
from hepto.pki.grant import Grant
from hepto.pki.revocations import Revocations

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

    def learn(self, said: Iterable[Said]) -> bool:
        """Take in what gossip says; True if anything about a peer has changed."""
        before = dict(self._enrolled)
        for member in said:
            if member.name == self._own:
                continue
            found = self._judge(member.name, member.meta.grant)
            if found is not None:
                self.enrol(found, member.meta.endpoint, member.address)
            elif member.name in self._enrolled:  # its meta may be empty after a restart: what was proved stays proved
                self._move(member.name, member.meta.endpoint, member.address)
        return before != self._enrolled

    def enrol(self, found: Grant, record: EndpointRecord | None = None, seen: IPv6Address | None = None) -> None:
        """A node whose grant is verified. An older grant than the one known changes nothing."""
        known = self._enrolled.get(found.node)
        if known is None or found.serial > known.grant.serial:
            self._enrolled[found.node] = Enrolled(found, known.record if known else None, known.seen if known else None)
        elif found.serial < known.grant.serial:
            self.refused["old grant"] += 1
            return
        if record is not None:
            self._move(found.node, record, seen)

    def _move(self, name: str, record: EndpointRecord, seen: IPv6Address | None) -> None:
        known = self._enrolled[name]
        newer = known.record is None or record.counter > known.record.counter
        if newer and _signed(known.grant, record):
            self._enrolled[name] = Enrolled(known.grant, record, seen)
        elif seen is not None and seen != known.seen:
            self._enrolled[name] = Enrolled(known.grant, known.record, seen)

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

    def revoked_keys(self) -> frozenset[bytes]:
        """WireGuard keys that must not be in the mesh."""
        return frozenset(known.grant.wireguard for known in self._enrolled.values() if self.is_revoked(known.grant))

    def peers(self) -> tuple[Peer, ...]:
        """Those that belong into the mesh, by name."""
        return tuple(
            self._peer(known) for _, known in sorted(self._enrolled.items()) if not self.is_revoked(known.grant)
        )

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
