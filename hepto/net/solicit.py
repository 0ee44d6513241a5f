"""A router solicitation as an IPv6 packet.

It is sent from the unspecified address (RFC 4861 section 4.1), so that it can go out at once: the link-local address is
not to be used for the second that duplicate address detection takes, and the kernel's own solicitation waits for it.
"""

from ipaddress import IPv6Address

ALL_ROUTERS = IPv6Address("ff02::2")
ICMPV6 = 58
_SOLICITATION = 133


def packet() -> bytes:
    """The whole packet."""
    source, destination = IPv6Address("::").packed, ALL_ROUTERS.packed
    message = bytes((_SOLICITATION, 0, 0, 0)) + bytes(4)
    pseudo = source + destination + len(message).to_bytes(4, "big") + bytes(3) + bytes((ICMPV6,))
    message = message[:2] + checksum(pseudo + message).to_bytes(2, "big") + message[4:]
    header = bytes((0x60, 0, 0, 0)) + len(message).to_bytes(2, "big") + bytes((ICMPV6, 255))
    return header + source + destination + message


def hardware_address() -> bytes:
    """Where Ethernet sends it: 33:33 and the last four bytes (RFC 2464 section 7)."""
    return b"\x33\x33" + ALL_ROUTERS.packed[-4:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[offset : offset + 2], "big") for offset in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
