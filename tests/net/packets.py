"""Router advertisements made by hand after the pictures in the RFCs; nothing here uses the parser's code."""

import struct
from ipaddress import IPv6Address

ROUTER = IPv6Address("fe80::1")


def advertisement(*options: bytes, lifetime: int = 1800, flags: int = 0) -> bytes:
    """RFC 4861 section 4.2."""
    return struct.pack("!BBHBBHLL", 134, 0, 0, 64, flags, lifetime, 0, 0) + b"".join(options)


def prefix(network: str, length: int = 64, flags: int = 0xC0, valid: int = 86400, preferred: int = 14400) -> bytes:
    """RFC 4861 section 4.6.2."""
    return struct.pack("!BBBBLLL", 3, 4, length, flags, valid, preferred, 0) + IPv6Address(network).packed


def mtu(size: int) -> bytes:
    """RFC 4861 section 4.6.4."""
    return struct.pack("!BBHL", 5, 1, 0, size)


def route(network: str, length: int, flags: int = 0, lifetime: int = 600) -> bytes:
    """RFC 4191 section 2.3."""
    packed = IPv6Address(network).packed[: 0 if length == 0 else 8 if length <= 64 else 16]
    return struct.pack("!BBBBL", 24, 1 + len(packed) // 8, length, flags, lifetime) + packed


def rdnss(*addresses: str, lifetime: int = 1200) -> bytes:
    """RFC 8106 section 5.1."""
    packed = b"".join(IPv6Address(address).packed for address in addresses)
    return struct.pack("!BBHL", 25, 1 + 2 * len(addresses), 0, lifetime) + packed


def dnssl(*domains: str, lifetime: int = 1200) -> bytes:
    """RFC 8106 section 5.2."""
    names = b"".join(
        b"".join(bytes((len(label),)) + label.encode() for label in domain.split(".")) + b"\0" for domain in domains
    )
    names = names.ljust(-(-len(names) // 8) * 8, b"\0")
    return struct.pack("!BBHL", 31, 1 + len(names) // 8, 0, lifetime) + names


def pref64(network: str, code: int = 0, lifetime: int = 1800) -> bytes:
    """RFC 8781 section 4: lifetime in units of 8 s, then the code of the prefix length."""
    return struct.pack("!BBH", 38, 2, lifetime // 8 << 3 | code) + IPv6Address(network).packed[:12]
