"""The two kinds of clusters that a member can be in, as the option `gossip-compat` names them. Pure.

`none` is a cluster of ours: its name is the label on the wire, so that two clusters never mix. `serf` is for watching
with other software: serf knows no labels and wants its own protocol numbers, tags and state.
"""

from collections.abc import Mapping
from enum import StrEnum

from hepto.gossip.application import Application
from hepto.gossip.limits import META
from hepto.gossip.plain import Meta, Plain, Verifier, decode_meta, encode_meta, trust_nobody
from hepto.gossip.serf import Serf, decode_ours, encode_tags


class Compat(StrEnum):
    NONE = "none"
    SERF = "serf"

    def label(self, cluster: str) -> bytes:
        """The cluster's name as it is in front of every datagram and stream."""
        return cluster.encode() if self is Compat.NONE else b""

    def application(self, name: bytes, verify: Verifier = trust_nobody) -> Application:
        """Of the member called `name`."""
        return Plain(verify) if self is Compat.NONE else Serf(name, verify)

    def read(self, meta: bytes) -> Meta | None:
        """What a member says of itself; None for one that is not ours."""
        return decode_meta(meta) if self is Compat.NONE else decode_ours(meta)

    def meta(self, meta: Meta, tags: Mapping[bytes, bytes] | None = None) -> bytes:
        """What the member says of itself; tags only exist for serf. Raises ValueError when it is too long."""
        encoded = encode_meta(meta)
        if self is Compat.SERF:
            encoded = encode_tags(tags or {}, encoded)
        if len(encoded) > META:
            raise ValueError(f"{len(encoded)} bytes of meta, at most {META} can be sent")
        return encoded
