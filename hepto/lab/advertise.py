"""Router advertisements as bytes: what the lab's router sends (RFC 4861 section 4.2, RFC 8106 for RDNSS and DNSSL,
RFC 8781 for PREF64).

A pure encoder. The checksum stays zero: the kernel fills it in for ICMPv6 raw sockets (RFC 3542 section 3.1). It
encodes what it is told, also what makes no sense, because parsers are tested with it.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

ROUTER_SOLICITATION = 133
ROUTER_ADVERTISEMENT = 134
HOP_LIMIT = 255
"""Receivers must drop anything else (RFC 4861 section 6.1.2)."""

SOURCE_LINK_LAYER_ADDRESS = 1
PREFIX_INFORMATION = 3
MTU = 5
RDNSS = 25
DNSSL = 31
PREF64 = 38

ON_LINK = 0x80
AUTONOMOUS = 0x40
MANAGED = 0x80
OTHER = 0x40

UNIT = 8
"""Option lengths count units of eight bytes."""


@dataclass(frozen=True)
class Prefix:
    """A prefix that hosts make addresses from (SLAAC)."""

    network: IPv6Network
    valid: int = 86400
    preferred: int = 14400
    on_link: bool = True
    autonomous: bool = True


@dataclass(frozen=True)
class Resolvers:
    """Recursive DNS servers (RDNSS)."""

    addresses: tuple[IPv6Address, ...]
    lifetime: int = 1800


@dataclass(frozen=True)
class SearchDomains:
    """DNS search list (DNSSL)."""

    domains: tuple[str, ...]
    lifetime: int = 1800


@dataclass(frozen=True)
class Nat64:
    """The prefix of a translator to IPv4 (PREF64), of 96 bits. The lifetime is a multiple of 8 seconds."""

    network: IPv6Network
    lifetime: int = 1800


@dataclass(frozen=True)
class Advertisement:
    """One router advertisement. A lifetime of zero says that this is no default router."""

    lifetime: int = 1800
    hop_limit: int = 64
    managed: bool = False
    other: bool = False
    link_layer_address: bytes | None = None
    mtu: int | None = None
    prefixes: tuple[Prefix, ...] = ()
    resolvers: tuple[Resolvers, ...] = ()
    search_domains: tuple[SearchDomains, ...] = ()
    nat64: tuple[Nat64, ...] = ()

    def encode(self) -> bytes:
        """The ICMPv6 message."""
        flags = (MANAGED if self.managed else 0) | (OTHER if self.other else 0)
        header = struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, self.hop_limit, flags, self.lifetime, 0, 0)
        parts = [header]
        if self.link_layer_address is not None:
            parts.append(_option(SOURCE_LINK_LAYER_ADDRESS, self.link_layer_address))
        if self.mtu is not None:
            parts.append(_option(MTU, struct.pack("!HI", 0, self.mtu)))
        parts.extend(_prefix(prefix) for prefix in self.prefixes)
        for servers in self.resolvers:
            packed = b"".join(address.packed for address in servers.addresses)
            parts.append(_option(RDNSS, struct.pack("!HI", 0, servers.lifetime) + packed))
        for search in self.search_domains:
            packed = b"".join(_domain(domain) for domain in search.domains)
            parts.append(_option(DNSSL, struct.pack("!HI", 0, search.lifetime) + packed))
        parts.extend(_nat64(prefix) for prefix in self.nat64)
        return b"".join(parts)


def _prefix(prefix: Prefix) -> bytes:
    flags = (ON_LINK if prefix.on_link else 0) | (AUTONOMOUS if prefix.autonomous else 0)
    fixed = struct.pack("!BBIII", prefix.network.prefixlen, flags, prefix.valid, prefix.preferred, 0)
    return _option(PREFIX_INFORMATION, fixed + prefix.network.network_address.packed)


def _nat64(prefix: Nat64) -> bytes:
    # The lowest three bits are the code of the prefix's length, 0 for 96 (RFC 8781 section 4).
    return _option(PREF64, struct.pack("!H", prefix.lifetime) + prefix.network.network_address.packed[:12])


def _domain(domain: str) -> bytes:
    """A name in DNS wire format (RFC 1035 section 3.1), never compressed."""
    labels = [label.encode("ascii") for label in domain.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _option(kind: int, body: bytes) -> bytes:
    """An option, padded with zeros to a multiple of eight bytes."""
    units = -(-(len(body) + 2) // UNIT)
    return bytes([kind, units]) + body.ljust(units * UNIT - 2, b"\0")
