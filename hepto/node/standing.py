"""What this node can prove of itself: its keys, its grant, and the record of where it is, signed. No I/O, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.gossip.plain import MOST_ADDRESSES, EndpointRecord, Meta
from hepto.pki import endpoint


@dataclass
class Standing:
    """Of one node; `grant` comes with the join, and anew with every renewal."""

    name: str
    api_port: int
    mesh_port: int
    identity: Ed25519PrivateKey = field(repr=False)
    grant: bytes | None = None

    def meta(self, addresses: Iterable[bytes], counter: int) -> Meta:
        """What gossip carries: `addresses` are 16 bytes each, the best first; `counter` must grow with every record."""
        places = tuple(dict.fromkeys(addresses))[:MOST_ADDRESSES]
        fields = (places, self.api_port, self.mesh_port, counter)
        return Meta(self.grant, EndpointRecord(*fields, endpoint.sign(self.identity, self.name, *fields)))
