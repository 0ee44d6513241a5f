"""Our own application on top of membership: what a member's meta says, and what every push/pull carries. Pure.

The meta (at most 512 bytes) is the msgpack array `[1, grant or nil, endpoint record]`, the record an array of addresses
(16 bytes each), port of the node API, port of the mesh, counter, signature. The grant is not looked into here, and a
signature is judged by the `Verifier` that is handed in: nothing in this package knows keys (trust.md section 2).
"""

from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import msgpack

from hepto.gossip.application import Reaction
from hepto.gossip.extension import for_everybody
from hepto.gossip.messages import Alive, Status
from hepto.gossip.model import Change, Claim
from hepto.gossip.reasons import GossipError, Reason

VERSION: Final = 1
VERSIONS: Final = bytes((1, 5, 2, 0, 0, 0))
"""memberlist's protocol 1 to 5, speaking 2 as all do; no application version, so that plain memberlist takes us in."""
MOST_ADDRESSES: Final = 8
_LARGEST_COUNTER = 2**64 - 1
_REMEMBERED_METAS = 4096


class EndpointRecord(NamedTuple):
    """Where a node can be reached, in its own words."""

    addresses: tuple[bytes, ...]
    """16 bytes each, at least one."""
    api_port: int
    """0: it has no node API."""
    mesh_port: int
    """0: it is not in the mesh."""
    counter: int
    """Grows with every record that the node makes: 64 bits."""
    signature: bytes = b""
    """By the node's identity key, 64 bytes; nothing as long as it has none."""


class Meta(NamedTuple):
    """What a member of ours says of itself."""

    grant: bytes | None
    """Signed by the cluster's CA; not verified here."""
    endpoint: EndpointRecord


class Verifier(Protocol):
    """Somebody who knows keys."""

    def __call__(self, name: bytes, meta: Meta) -> bool:
        """True if the endpoint record is signed by the identity that the grant names, and the grant is `name`'s."""


def trust_nobody(name: bytes, meta: Meta) -> bool:
    """The verifier of who knows no keys: nobody has proved anything."""
    del name, meta
    return False


def encode_meta(meta: Meta) -> bytes:
    """The bytes that travel. Who makes a grant sees to it that they are no more than 512."""
    endpoint = meta.endpoint
    record = [list(endpoint.addresses), *endpoint[1:]]
    encoded: bytes = msgpack.packb([VERSION, meta.grant, record], use_bin_type=True)
    return encoded


@lru_cache(_REMEMBERED_METAS)  # asked again with every message about a member, and metas seldom change
def decode_meta(data: bytes) -> Meta | None:
    """The reverse; None for what is not ours (memberlist's and serf's members have metas, too)."""
    try:
        value = msgpack.unpackb(data, raw=True, max_array_len=MOST_ADDRESSES)
    except (ValueError, TypeError, RecursionError):
        return None
    match value:
        case [int(version), None | bytes() as grant, [list(addresses), api_port, mesh_port, counter, bytes(signature)]]:
            fields = (_number(api_port, 0xFFFF), _number(mesh_port, 0xFFFF), _number(counter, _LARGEST_COUNTER))
            good = 0 < len(addresses) <= MOST_ADDRESSES and all(_is_address(item) for item in addresses)
            if version == VERSION and good and all(fields):
                return Meta(grant, EndpointRecord(tuple(addresses), api_port, mesh_port, counter, signature))
    return None


def _number(value: Any, largest: int) -> bool:  # Any: what msgpack has made of a stranger's bytes
    return type(value) is int and 0 <= value <= largest


def _is_address(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 16


def has_moved(known: Meta | None, claimed: Meta | None, alive: Alive, verify: Verifier) -> bool:
    """True if `claimed`, the meta of `alive`, proves that the member known by `known` now is where `alive` says."""
    return (
        known is not None
        and claimed is not None
        and claimed.endpoint.counter > known.endpoint.counter
        and alive.address.ip in claimed.endpoint.addresses
        and verify(alive.node, claimed)
    )


class Plain:
    """The `Application` of a cluster of ours."""

    versions = VERSIONS

    def __init__(self, verify: Verifier = trust_nobody):
        self._verify = verify
        self._shared = b""
        self._heard = b""

    def is_ours(self, meta: bytes) -> bool:
        """Application.is_ours."""
        return decode_meta(meta) is not None

    def may_move(self, known: Claim, alive: Alive) -> bool:
        """Application.may_move."""
        return has_moved(decode_meta(known.meta), decode_meta(alive.meta), alive, self._verify)

    def shared(self, members: tuple[tuple[bytes, Status], ...]) -> bytes:
        """Application.shared."""
        del members
        return self._shared

    def merge(self, state: bytes) -> Reaction:
        """Hand on what differs from ours, once in a row: who can judge it will `SetShared` it if it is newer."""
        if state in (b"", self._shared, self._heard):
            return Reaction()
        self._heard = state
        return Reaction(received=(state,))

    def message(self, data: bytes) -> Reaction:
        """Hand it on. It is passed to others only by who has verified it (`Broadcast`): replays would flood us all."""
        if for_everybody(data):
            raise GossipError(Reason.BAD_EXTENSION, "not a message of ours")
        return Reaction(received=(data,))

    def changed(self, change: Change, claim: Claim) -> Reaction:
        """Application.changed."""
        del change, claim
        return Reaction()

    def share(self, data: bytes) -> None:
        """Application.share."""
        self._shared = data

    def farewell(self) -> tuple[bytes, ...]:
        """memberlist's own leave says it all."""
        return ()
