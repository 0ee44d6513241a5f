"""The software of the simulated machines: what a node really runs, with a cheap cipher of equal length."""

import hashlib
import random
import zlib
from collections.abc import Callable, Iterable

from cryptography.exceptions import InvalidTag

from hepto.gossip import limits, stream
from hepto.gossip.core import Gossip
from hepto.gossip.keyring import Cipher, Keyring
from hepto.gossip.members import Member
from hepto.gossip.messages import Address, NodeState, StreamMessage
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.plain import EndpointRecord, Meta, Plain, encode_meta
from hepto.gossip.profile import PROFILES
from hepto.gossip.reasons import GossipError, Reason
from hepto.gossip.settings import Settings
from hepto.sim.cluster import anchor
from hepto.sim.node import Birth, Node, Parcel, name
from hepto.sim.parcels import Sealed, Whole
from hepto.sim.plan import Plan

EPOCH = 1_700_000_000
"""Unix time at which every run begins; incarnations begin there."""
API_PORT, MESH_PORT = 7947, 7948
TAG_BYTES = 16


class Checksum:
    """A keyring.Cipher that hides nothing and notices every changed byte, and other keys."""

    def __init__(self, key: bytes):
        self._start = zlib.crc32(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The data itself and a tag."""
        return data + self._tag(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Raises InvalidTag."""
        plain = data[:-TAG_BYTES]
        if data[-TAG_BYTES:] != self._tag(nonce, plain, associated_data):
            raise InvalidTag
        return plain

    def _tag(self, nonce: bytes, data: bytes, additional: bytes | None) -> bytes:
        sum_of_all = zlib.crc32(data, zlib.crc32(nonce, zlib.crc32(additional or b"", self._start)))
        return sum_of_all.to_bytes(TAG_BYTES, "big")


class Settled(Gossip):
    """The production core, which can be born into a cluster that has been quiet for long."""

    def know(self, records: Iterable[NodeState], now: float) -> None:
        """Hold all these for alive and for known to everybody: nothing is news."""
        node = self._node
        for record in records:
            if record.name != node.name:
                node.members.add(Member(record, ours=node.application.is_ours(record.meta), now=now), node.dice)
        self._memory.changed(now)


class Production:
    """A node.Software. `label`, `key` and `cipher` are those of the cluster."""

    def __init__(
        self, plan: Plan, *, label: bytes = b"sim", key: bytes = bytes(32), cipher: Callable[[bytes], Cipher] = Checksum
    ):
        self._plan = plan
        self._anchors = tuple(anchor(index) for index in range(min(plan.anchors, plan.nodes)))
        nonces = random.Random(f"{plan.seed}/nonces")
        self._envelope = PacketEnvelope(label, Keyring((key,), cipher), random_bytes=nonces.randbytes)

    def meta(self, name: bytes, address: Address, moves: int) -> bytes:
        """As long as the plan says, or a byte less: the grant is noise."""
        record = EndpointRecord((address.ip,), API_PORT, MESH_PORT, counter=moves + 1)
        record = record._replace(signature=_signature(name, record))
        noise = random.Random(f"{self._plan.seed}/{name!r}").randbytes(self._plan.meta)
        excess = len(encode_meta(Meta(noise, record))) - self._plan.meta
        return encode_meta(Meta(noise[excess:], record))

    def build(self, birth: Birth) -> Settled:
        """The core of a new process."""
        settings = Settings(
            name=birth.name,
            address=birth.address,
            meta=birth.meta,
            anchors=self._anchors,
            profile=PROFILES[self._plan.profile],
            incarnation=max(birth.incarnation + 1, EPOCH + int(birth.time)),
            remembered=birth.remembered,
        )
        dice = random.Random(f"{self._plan.seed}/{birth.index}/{birth.life}")
        return Settled(settings, self.envelope(birth.index), Plain(_verify), dice)

    def envelope(self, index: int) -> PacketEnvelope:
        """Label and keys of a node."""
        del index
        return self._envelope

    def pack(self, sender: Node, message: StreamMessage, is_answer: bool) -> Parcel:
        """Encoded and sealed if the run is exact."""
        if not self._plan.exact:
            return Whole(message)
        data = stream.encode(message, self.envelope(sender.index), initiator=not is_answer)
        return Sealed(data, sender.index, is_answer)

    def unpack(self, receiver: Node, parcel: Parcel) -> StreamMessage:
        """With the bounds that the driver has for those it knows, for strangers, and for its own connections."""
        if isinstance(parcel, Whole):
            return parcel.message
        assert isinstance(parcel, Sealed)
        limit = limits.STREAM_OWN if parcel.is_answer else self._limit(receiver, parcel.sender)
        reader = stream.StreamReader(self.envelope(receiver.index), limit, initiator=parcel.is_answer)
        message = reader.feed(parcel.data)
        if message is None:
            raise GossipError(Reason.SHORT_READ)
        return message

    def _limit(self, receiver: Node, sender: int) -> int:
        known = isinstance(receiver.core, Gossip) and any(
            claim.name == name(sender) for claim in receiver.core.members()
        )
        return limits.STREAM_GRANTED if known else limits.STREAM_UNKNOWN


def _signature(name: bytes, record: EndpointRecord) -> bytes:
    signed = repr((name, record.addresses, record.counter)).encode()
    return hashlib.blake2b(signed).digest()


def _verify(name: bytes, meta: Meta) -> bool:
    return meta.endpoint.signature == _signature(name, meta.endpoint)
