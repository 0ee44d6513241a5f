"""What fuzzing starts from, how it is changed and how it is wrapped: all from one seeded source of chance.

Seeds are the contents of the recorded and crafted vectors, without label, encryption and compression, so that changes
reach the records; what has been changed is wrapped again, or else nothing would get past the tag of the encryption.
"""

import random
import zlib
from collections.abc import Callable
from functools import cache

from hepto.gossip import dialect, limits, lzw
from hepto.gossip.keyring import OVERHEAD, Keyring
from hepto.gossip.packet import COMPRESS_KINDS, PacketEnvelope
from hepto.gossip.reasons import GossipError
from tests.gossip import vectors

LABEL = b"blue"
KEYS = (bytes(range(32)), bytes(range(16)))
FILES = {"packet": ("udp-plain", "udp-encrypted", "udp-label"), "stream": ("tcp", "tcp-answers")}
TRANSPORTS = {"packet": "udp", "stream": "tcp"}
SETTINGS = {
    name: PacketEnvelope(label, Keyring(KEYS[:1]) if key else None, random_bytes=bytes)
    for name, label, key in (("plain", b"", False), ("label", LABEL, False), ("key", b"", True), ("both", LABEL, True))
}
LONGEST_SEED = 4096

# Bytes at which something changes: types, forms of msgpack, limits of widths.
TURNING_POINTS = bytes(range(16)) + bytes.fromhex("7f80818f909fa0a1bfc0c1c3c4c6c7cacbcccdcecfd0d3d9dadbdcdddedfe0f4ff")
LENGTHS = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    511,
    512,
    513,
    32767,
    32768,
    65535,
    65536,
    1 << 20,
    (1 << 31) - 1,
    (1 << 32) - 1,
]


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """Contents to start from, shortest first."""
    found = {content for vector in _all(target) for content in _contents(target, vector)}
    return tuple(sorted((seed for seed in found if len(seed) <= LONGEST_SEED), key=lambda seed: (len(seed), seed)))


def change(data: bytes, others: tuple[bytes, ...], chance: random.Random) -> bytes:
    """`data` with one to six changes, some with pieces of other seeds."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        chance.choice(_CHANGES)(changed, others, chance)
    return bytes(changed[: 2 * LONGEST_SEED])


def wrap(target: str, content: bytes, settings: str, chance: random.Random) -> bytes:
    """A datagram or a stream that holds `content`, for a receiver with those settings."""
    envelope = SETTINGS[settings]
    if chance.random() < 0.1:
        content = b"\x09\x82\xa4Algo\x00\xa3Buf" + dialect.raw(lzw.compress(content))
    if target == "packet":
        if chance.random() < 0.1:
            content = b"\x0c" + zlib.crc32(content).to_bytes(4, "big") + content
        content = envelope.encrypt(content, envelope.label)
    elif envelope.keyring is not None:
        header = b"\x0a" + (len(content) + OVERHEAD).to_bytes(4, "big")
        content = header + envelope.encrypt(content, header + envelope.label)
    wrapped = envelope.label_header + content
    if chance.random() < 0.05:
        wrapped = change(wrapped, seeds(target), chance)
    return wrapped


def _all(target: str) -> tuple[vectors.Vector, ...]:
    recorded = [vector for name in FILES[target] for vector in vectors.load(name)]
    return (*recorded, *vectors.load("malformed", TRANSPORTS[target]))


def _contents(target: str, vector: vectors.Vector) -> list[bytes]:
    """What a vector holds, compressed and not, if it can be reached."""
    data, envelope = bytes.fromhex(vector["hex"]), vectors.envelope(vector)
    data = data.removeprefix(envelope.label_header)
    try:
        if envelope.keyring is not None:
            start = 0 if target == "packet" else 5
            data = envelope.keyring.decrypt(data[start:], data[:start] + envelope.label)
        if data[:1] == b"\x0c":
            data = data[5:]
        if data[:1] != b"\x09":
            return [data]
        fields, _ = dialect.record(data, COMPRESS_KINDS, 1)
        return [data, lzw.expand(fields[b"Buf"], limits.EXPANDED_PACKET)]
    except (GossipError, KeyError):
        return [data]


def _place(data: bytearray, chance: random.Random) -> int:
    """A place in it, the beginning more often than the rest: that is where the structure is."""
    size = len(data) + 1
    return chance.randrange(min(size, 16)) if chance.random() < 0.4 else chance.randrange(size)


def _flip(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    place = _place(data, chance)
    data[place : place + 1] = bytes((chance.choice(TURNING_POINTS),))


def _insert(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    place = _place(data, chance)
    data[place:place] = chance.randbytes(chance.randrange(1, 9))


def _delete(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    place = _place(data, chance)
    del data[place : place + chance.randrange(1, 17)]


def _cut(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    del data[_place(data, chance) :]


def _repeat(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    place = _place(data, chance)
    data[place:place] = data[place : place + chance.randrange(1, 65)] * chance.choice((1, 2, 3, 20))


def _length(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    place, width = _place(data, chance), chance.choice((1, 2, 4))
    data[place : place + width] = (chance.choice(LENGTHS) % (1 << 8 * width)).to_bytes(width, "big")


def _splice(data: bytearray, others: tuple[bytes, ...], chance: random.Random) -> None:
    other = chance.choice(others)
    begin = chance.randrange(len(other) + 1)
    place = _place(data, chance)
    data[place : place + chance.choice((0, 0, 20))] = other[begin : begin + chance.randrange(1, 400)]


def _nest(data: bytearray, _: tuple[bytes, ...], chance: random.Random) -> None:
    """Into a compound, as its only part or one of several."""
    if len(data) <= limits.COMPOUND_PART:
        count = chance.choice((1, 1, 2, 255))
        data[:] = bytes((7, count)) + len(data).to_bytes(2, "big") * count + data * min(count, 2)


_CHANGES: tuple[Callable[[bytearray, tuple[bytes, ...], random.Random], None], ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _insert,
    _delete,
    _cut,
    _repeat,
    _length,
    _splice,
    _nest,
)
