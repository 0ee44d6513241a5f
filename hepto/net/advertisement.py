"""Router advertisements (RFC 4861, 4191, 8106, 8781): bytes to a value.

`parse` takes any bytes and gives an Advertisement or raises PeerError, never anything else. Options that are unknown or
of a later version are skipped, as RFC 4861 section 4.6 asks; one whose length is 0 or past the end condemns the whole.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, IPv6Network

from hepto.errors import PeerError

ROUTER_ADVERTISEMENT = 134
HOP_LIMIT = 255
"""What a packet has that no router has forwarded (RFC 4861 section 6.1.2)."""
INFINITE = 0xFFFFFFFF
MAX_BYTES = 9000
MAX_OPTIONS = 256
MAX_NAMES = 64
MINIMUM_MTU = 1280

_HEADER = struct.Struct("!BBHBBHLL")
_PREFIX = struct.Struct("!BBLL4x16s")
_UNIT = 8
_PREF64_LENGTHS = (96, 64, 56, 48, 40, 32)


class Preference(Enum):
    """RFC 4191 section 2.1, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Prefix:
    network: IPv6Network
    on_link: bool
    autonomous: bool
    valid: int
    preferred: int


@dataclass(frozen=True, slots=True)
class MoreSpecific:
    """A route information option (RFC 4191 section 2.3)."""

    network: IPv6Network
    preference: Preference
    lifetime: int


@dataclass(frozen=True, slots=True)
class Resolvers:
    """RDNSS (RFC 8106 section 5.1)."""

    addresses: tuple[IPv6Address, ...]
    lifetime: int


@dataclass(frozen=True, slots=True)
class Search:
    """DNSSL (RFC 8106 section 5.2)."""

    domains: tuple[str, ...]
    lifetime: int


@dataclass(frozen=True, slots=True)
class Nat64:
    """PREF64 (RFC 8781)."""

    network: IPv6Network
    lifetime: int


@dataclass(frozen=True, slots=True)
class Advertisement:
    router: IPv6Address
    lifetime: int
    """Seconds as a default router; 0: none."""
    preference: Preference = Preference.MEDIUM
    managed: bool = False
    other: bool = False
    mtu: int | None = None
    prefixes: tuple[Prefix, ...] = ()
    routes: tuple[MoreSpecific, ...] = ()
    resolvers: tuple[Resolvers, ...] = ()
    search: tuple[Search, ...] = ()
    nat64: tuple[Nat64, ...] = ()


def parse(data: bytes, source: IPv6Address, hop_limit: int) -> Advertisement:
    """Read an ICMPv6 message from its type on. The kernel has checked the checksum."""
    if hop_limit != HOP_LIMIT:
        raise PeerError("forwarded", f"hop limit {hop_limit}")
    if not source.is_link_local:
        raise PeerError("source", f"{source} is not link-local")
    if not _HEADER.size <= len(data) <= MAX_BYTES:
        raise PeerError("length", f"{len(data)} bytes")
    kind, code, _, _, flags, lifetime, _, _ = _HEADER.unpack_from(data)
    if (kind, code) != (ROUTER_ADVERTISEMENT, 0):
        raise PeerError("type", f"{kind}, code {code}")
    options = _options(data[_HEADER.size :])
    preference = _preference(flags)
    return Advertisement(
        router=IPv6Address(source.packed),  # without a scope: the interface is known beside it
        lifetime=lifetime,
        preference=preference if lifetime else Preference.MEDIUM,
        managed=bool(flags & 0x80),
        other=bool(flags & 0x40),
        mtu=_mtu(options),
        prefixes=tuple(filter(None, map(_prefix, options.get(3, ())))),
        routes=tuple(filter(None, map(_route, options.get(24, ())))),
        resolvers=tuple(filter(None, map(_resolvers, options.get(25, ())))),
        search=tuple(filter(None, map(_search, options.get(31, ())))),
        nat64=tuple(filter(None, map(_nat64, options.get(38, ())))),
    )


def _options(data: bytes) -> dict[int, list[bytes]]:
    """The options' bodies (without type and length) by type."""
    found: dict[int, list[bytes]] = {}
    offset = 0
    for _ in range(MAX_OPTIONS):
        if offset == len(data):
            return found
        if len(data) - offset < 2:
            raise PeerError("option", "cut off")
        length = data[offset + 1] * _UNIT
        if length == 0 or offset + length > len(data):
            raise PeerError("option", f"type {data[offset]}, length {length} of {len(data) - offset} bytes")
        found.setdefault(data[offset], []).append(data[offset + 2 : offset + length])
        offset += length
    raise PeerError("option", f"more than {MAX_OPTIONS}")


def _preference(flags: int) -> Preference:
    # 10 is reserved and has to be read as 00 (RFC 4191 section 2.2).
    return {0b01: Preference.HIGH, 0b11: Preference.LOW}.get(flags >> 3 & 0b11, Preference.MEDIUM)


def _mtu(options: dict[int, list[bytes]]) -> int | None:
    found = [int.from_bytes(body[2:6], "big") for body in options.get(5, ()) if len(body) == 6]
    return next((mtu for mtu in found if mtu >= MINIMUM_MTU), None)


def _prefix(body: bytes) -> Prefix | None:
    if len(body) != _PREFIX.size:
        return None
    length, flags, valid, preferred, packed = _PREFIX.unpack(body)
    network = _network(packed, length)
    if network is None or network.network_address.is_link_local or preferred > valid:
        return None  # RFC 4862 section 5.5.3 b, c
    return Prefix(network, bool(flags & 0x80), bool(flags & 0x40), valid, preferred)


def _route(body: bytes) -> MoreSpecific | None:
    network = _network(body[6:22].ljust(16, b"\0"), body[0])
    if network is None or (body[1] >> 3 & 0b11) == 0b10 or len(body) - 6 < (body[0] + 63) // 64 * 8:
        return None  # a reserved preference: ignore the option (RFC 4191 section 2.3)
    return MoreSpecific(network, _preference(body[1]), int.from_bytes(body[2:6], "big"))


def _resolvers(body: bytes) -> Resolvers | None:
    packed = body[6:]
    if len(packed) % 16 or not packed:
        return None
    addresses = (IPv6Address(packed[offset : offset + 16]) for offset in range(0, len(packed), 16))
    usable = tuple(address for address in addresses if not (address.is_multicast or address.is_unspecified))
    return Resolvers(usable, int.from_bytes(body[2:6], "big")) if usable else None


def _search(body: bytes) -> Search | None:
    domains = _names(body[6:])
    return Search(domains, int.from_bytes(body[2:6], "big")) if domains else None


def _names(data: bytes) -> tuple[str, ...]:
    """Uncompressed names (RFC 1035 section 3.1), padded with zeros. A bad one ends the list."""
    names: list[str] = []
    labels: list[str] = []
    offset = length = 0
    while offset < len(data) and len(names) < MAX_NAMES:
        size = data[offset]
        label = data[offset + 1 : offset + 1 + size]
        offset += 1 + size
        if size == 0:
            if labels:
                names.append(".".join(labels))
            labels, length = [], 0
            continue
        length += 1 + size
        if size > 63 or len(label) < size or length > 254 or not _is_label(label):
            break
        labels.append(label.decode("ascii").lower())
    return tuple(names)


def _is_label(label: bytes) -> bool:
    # Letters, digits, hyphen, underscore: whatever else goes into resolv.conf could be read there as something else.
    return all(byte in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_" for byte in label)


def _nat64(body: bytes) -> Nat64 | None:
    if len(body) != 14:
        return None
    scaled, packed = int.from_bytes(body[:2], "big"), body[2:14]
    code = scaled & 0b111
    if code >= len(_PREF64_LENGTHS):
        return None
    network = _network(packed.ljust(16, b"\0"), _PREF64_LENGTHS[code])
    return Nat64(network, scaled & 0xFFF8) if network else None


def _network(packed: bytes, length: int) -> IPv6Network | None:
    return IPv6Network((packed, length), strict=False) if length <= 128 else None
