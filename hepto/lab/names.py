"""The lab's DNS answers as a pure function of the question: names of the lab, and NXDOMAIN for everything else.

It answers AAAA and A questions from a table, says "no such type" (no error, no answer) for other types of a known
name, and never asks anybody else: a lab has no way out. Anything that is no question gives None, which means silence.
"""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

MAX_QUESTION = 512
HEADER = struct.Struct("!HHHHHH")
A = 1
AAAA = 28
ANY = 255
INTERNET = 1
TTL = 30

RESPONSE = 0x8000
OPCODE = 0x7800
AUTHORITATIVE = 0x0400
RECURSION_DESIRED = 0x0100
RECURSION_AVAILABLE = 0x0080
NO_SUCH_NAME = 3
NOT_IMPLEMENTED = 4

Table = Mapping[str, IPv6Address | IPv4Address]
"""By name, each of which has one address."""


def answer(question: bytes, table: Table) -> bytes | None:
    """The reply to a DNS query, or None when the bytes are not a query with one question."""
    if not HEADER.size <= len(question) <= MAX_QUESTION:
        return None
    identity, flags, questions, _, _, _ = HEADER.unpack_from(question)
    if flags & RESPONSE or questions != 1:
        return None
    read = _name(question, HEADER.size)
    if read is None:
        return None
    name, end = read
    if end + 4 > len(question):
        return None
    kind, family = struct.unpack_from("!HH", question, end)
    asked = question[HEADER.size : end + 4]
    reply = RESPONSE | AUTHORITATIVE | RECURSION_AVAILABLE | (flags & (RECURSION_DESIRED | OPCODE))
    if flags & OPCODE:
        return HEADER.pack(identity, reply | NOT_IMPLEMENTED, 1, 0, 0, 0) + asked
    address = table.get(name)
    if address is None and not any(known.endswith("." + name) for known in table):
        return HEADER.pack(identity, reply | NO_SUCH_NAME, 1, 0, 0, 0) + asked
    has = A if isinstance(address, IPv4Address) else AAAA
    if address is None or family != INTERNET or kind not in (has, ANY):
        return HEADER.pack(identity, reply, 1, 0, 0, 0) + asked
    pointer = 0xC000 | HEADER.size  # the name in the question (RFC 1035 section 4.1.4)
    record = struct.pack("!HHHIH", pointer, has, INTERNET, TTL, len(address.packed)) + address.packed
    return HEADER.pack(identity, reply, 1, 1, 0, 0) + asked + record


def _name(message: bytes, at: int) -> tuple[str, int] | None:
    """The uncompressed name at `at` in lower case, and where it ends. Questions are not compressed in practice."""
    labels: list[str] = []
    while at < len(message):
        length = message[at]
        at += 1
        if length == 0:
            return ".".join(labels).lower(), at
        if length > 63 or at + length > len(message):
            return None
        labels.append(message[at : at + length].decode("latin-1"))
        at += length
    return None
