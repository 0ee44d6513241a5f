"""Our own messages: user messages that begin with a magic of four bytes, sent only to members of ours.

    look     magic | 1                                          "from where do my datagrams come?"
    sight    magic | 2 | port u16 | address (16) | name         the answer, and whom to thank

A node behind a translator, or one that was renumbered, learns so where others see it: a hint for the mesh's endpoint,
no more (`Sighted`). It asks a few members at its start, when its address changes, and seldom after that; it is told
unasked when an acknowledgement comes from elsewhere than its record says.
"""

import struct
from dataclasses import dataclass

from hepto.gossip.limits import NAME
from hepto.gossip.messages import Address
from hepto.gossip.reasons import GossipError, Reason

MAGIC = b"hepG"
_LOOK, _SIGHT = 1, 2
_HEADER = struct.Struct(">4sB")
_SIGHTING = struct.Struct(">H16s")
FIRST_TEXT_BYTE = 0x20


@dataclass(frozen=True, slots=True)
class Look:
    pass


@dataclass(frozen=True, slots=True)
class Sight:
    address: Address
    """As the observer's socket sees it: 16 bytes of address."""
    observer: bytes


def is_extension(data: bytes) -> bool:
    """True for the messages of this module."""
    return data.startswith(MAGIC)


def for_everybody(data: bytes) -> bool:
    """True if members that are not ours understand it too: serf's types are small numbers, our magics are text."""
    return data[:1] < bytes((FIRST_TEXT_BYTE,))


def encode_extension(message: Look | Sight) -> bytes:
    """A user message's bytes."""
    match message:
        case Look():
            return _HEADER.pack(MAGIC, _LOOK)
        case Sight(address=address, observer=observer):
            return _HEADER.pack(MAGIC, _SIGHT) + _SIGHTING.pack(address.port, address.ip) + observer


def decode_extension(data: bytes) -> Look | Sight:
    """The reverse. Raises GossipError (bad-extension); unknown kinds are that as well."""
    kind = data[len(MAGIC) : _HEADER.size]
    body = data[_HEADER.size :]
    if kind == bytes((_LOOK,)):
        return Look()
    if kind == bytes((_SIGHT,)) and _SIGHTING.size < len(body) <= _SIGHTING.size + NAME:
        port, ip = _SIGHTING.unpack_from(body)
        if port:
            return Sight(Address(ip, port), body[_SIGHTING.size :])
    raise GossipError(Reason.BAD_EXTENSION)
