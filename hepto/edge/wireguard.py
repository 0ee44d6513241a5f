"""The kernel's WireGuard devices by generic netlink (include/uapi/linux/wireguard.h).

Promises: a dump of any number of peers is read whole (pyroute2 keeps the first message of it); peers are changed one by
one and never replaced as a whole, in messages that the kernel's 16-bit attribute lengths can hold; a private key is
never shown by repr, and is dropped from what is read.
"""

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from hepto.edge.netlink import NETLINK_GENERIC, NLA_F_NESTED, Netlink, attribute, attribute_list, attributes, nested
from hepto.wireguard import KEY_BYTES, Endpoint, KernelPeer

GENL_ID_CTRL = 16
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
WG_CMD_GET_DEVICE, WG_CMD_SET_DEVICE = 0, 1
WG_VERSION = 1
WGDEVICE_A_IFNAME, WGDEVICE_A_PRIVATE_KEY, WGDEVICE_A_PUBLIC_KEY = 2, 3, 4
WGDEVICE_A_LISTEN_PORT, WGDEVICE_A_PEERS = 6, 8
WGPEER_A_PUBLIC_KEY, WGPEER_A_FLAGS, WGPEER_A_ENDPOINT, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 1, 3, 4, 5
WGPEER_A_LAST_HANDSHAKE_TIME, WGPEER_A_RX_BYTES, WGPEER_A_TX_BYTES, WGPEER_A_ALLOWEDIPS = 6, 7, 8, 9
WGPEER_F_REMOVE_ME, WGPEER_F_REPLACE_ALLOWEDIPS, WGPEER_F_UPDATE_ONLY = 1, 2, 4
WGALLOWEDIP_A_FAMILY, WGALLOWEDIP_A_IPADDR, WGALLOWEDIP_A_CIDR_MASK = 1, 2, 3

LARGEST_PIECE = 32_000
"""Bytes of peers in one message: WGDEVICE_A_PEERS is an attribute, whose length has 16 bits."""
ALLOWED_AT_ONCE = 512
"""Allowed IPs of a peer in one message, for the same reason (a peer of ours has two)."""

_GENERIC = struct.Struct("=BBxx")
_PORT = struct.Struct("=H")
_COUNT = struct.Struct("=Q")
_TIME = struct.Struct("=qq")
_FAMILY = struct.Struct("=H")
_SOCKET_PORT = struct.Struct("!H")
_SOCKADDR_IN6 = struct.Struct("=H2sI16sI")

# The parts of a peer in the form of struct, padding included: of a thousand peers, each attribute by itself would cost
# more than what the kernel does with it. An attribute begins with its length and kind.
_PEER = "=HHHH32sHHI"
_ENDPOINT = "HHH2sI16sI"
_KEEPALIVE = "HHHxx"
_LIST = "HH"
_ALLOWED = "HHHHHxxHH16sHHBxxx"
_ALLOWED_BYTES = struct.calcsize(f"={_ALLOWED}")


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    port: int
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A device as the kernel has it, without its private key."""

    name: str
    port: int
    public_key: bytes
    peers: tuple[KernelPeer, ...]


@dataclass(frozen=True, slots=True)
class PeerChange:
    """What shall become of one peer. None leaves a thing as it is."""

    public_key: bytes
    remove: bool = False
    new: bool = False
    """False: a peer that is not there is not made."""
    endpoint: Endpoint | None = None
    allowed: tuple[IPv6Network, ...] | None = None
    """In place of all that it has. An address that another peer has is taken from that one."""
    keepalive: int | None = None


def set_device(device: Device) -> None:
    """Give the device its key and port. The same again changes nothing. Raises OSError."""
    body = (
        _name(device.name, WG_CMD_SET_DEVICE)
        + attribute(WGDEVICE_A_PRIVATE_KEY, device.private_key)
        + attribute(WGDEVICE_A_LISTEN_PORT, _PORT.pack(device.port))
    )
    with Netlink(NETLINK_GENERIC) as kernel:
        kernel.request(f"wireguard device {device.name}", family(kernel), body)


def read_device(name: str) -> Found:
    """The device with all its peers. Raises OSError (ENODEV: there is none)."""
    with Netlink(NETLINK_GENERIC) as kernel:
        answers = kernel.dump(f"wireguard device {name}", family(kernel), _name(name, WG_CMD_GET_DEVICE))
    return read_dump([answer.body for answer in answers])


def set_peers(name: str, changes: Iterable[PeerChange]) -> None:
    """Make the changes, in their order. Raises OSError; then those before are made."""
    with Netlink(NETLINK_GENERIC) as kernel:
        number = family(kernel)
        for body in peer_messages(name, changes):
            kernel.request(f"peers of wireguard device {name}", number, body)


def family(kernel: Netlink) -> int:
    """The number that the kernel gave the family `wireguard`. Raises OSError where the kernel has none."""
    body = _GENERIC.pack(CTRL_CMD_GETFAMILY, 2) + attribute(CTRL_ATTR_FAMILY_NAME, b"wireguard\0")
    (answer,) = kernel.get("wireguard", GENL_ID_CTRL, body)
    return int(_PORT.unpack_from(attributes(answer.body[_GENERIC.size :])[CTRL_ATTR_FAMILY_ID])[0])


# --- bytes of a change


def peer_messages(name: str, changes: Iterable[PeerChange]) -> Iterator[bytes]:
    """The bodies of as many messages as it takes."""
    pieces: list[bytes] = []
    size = 0
    for change in changes:
        for piece in _peer(change):
            if size + len(piece) > LARGEST_PIECE:
                yield _name(name, WG_CMD_SET_DEVICE) + nested(WGDEVICE_A_PEERS, *pieces)
                pieces, size = [], 0
            pieces.append(piece)
            size += len(piece)
    if pieces:
        yield _name(name, WG_CMD_SET_DEVICE) + nested(WGDEVICE_A_PEERS, *pieces)


def _peer(change: PeerChange) -> Iterator[bytes]:
    key, allowed = change.public_key, change.allowed or ()
    if len(key) != KEY_BYTES:
        raise ValueError(f"a WireGuard key of {len(key)} bytes")
    if change.remove:
        yield _pack(_PEER, _named(key, WGPEER_F_REMOVE_ME))
        return
    flags = 0 if change.new else WGPEER_F_UPDATE_ONLY
    if change.allowed is not None:
        flags |= WGPEER_F_REPLACE_ALLOWEDIPS
    form, values = _PEER, _named(key, flags)
    if (endpoint := change.endpoint) is not None:
        form += _ENDPOINT
        values += [
            32,
            WGPEER_A_ENDPOINT,
            socket.AF_INET6,
            _SOCKET_PORT.pack(endpoint.port),
            0,
            endpoint.address.packed,
            0,
        ]
    if change.keepalive is not None:
        form += _KEEPALIVE
        values += [6, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, change.keepalive]
    yield _with(form, values, allowed[:ALLOWED_AT_ONCE])
    for start in range(ALLOWED_AT_ONCE, len(allowed), ALLOWED_AT_ONCE):
        yield _with(_PEER, _named(key, WGPEER_F_UPDATE_ONLY), allowed[start : start + ALLOWED_AT_ONCE])


def _named(key: bytes, flags: int) -> list[Any]:
    """The values of _PEER."""
    return [0, NLA_F_NESTED, 36, WGPEER_A_PUBLIC_KEY, key, 8, WGPEER_A_FLAGS, flags]


def _with(form: str, values: list[Any], allowed: tuple[IPv6Network, ...]) -> bytes:
    if allowed:
        form += _LIST + _ALLOWED * len(allowed)
        values += [4 + len(allowed) * _ALLOWED_BYTES, WGPEER_A_ALLOWEDIPS | NLA_F_NESTED]
    for network in allowed:
        values += [_ALLOWED_BYTES, NLA_F_NESTED, 6, WGALLOWEDIP_A_FAMILY, socket.AF_INET6]
        values += [20, WGALLOWEDIP_A_IPADDR, network.network_address.packed]
        values += [5, WGALLOWEDIP_A_CIDR_MASK, network.prefixlen]
    return _pack(form, values)


def _pack(form: str, values: list[Any]) -> bytes:
    """The peer; the first value is to be its length."""
    values[0] = struct.calcsize(form)
    return struct.pack(form, *values)


def _name(name: str, command: int) -> bytes:
    return _GENERIC.pack(command, WG_VERSION) + attribute(WGDEVICE_A_IFNAME, name.encode() + b"\0")


# --- bytes of a dump


def read_dump(bodies: Iterable[bytes]) -> Found:
    """The device of a dump's messages. A peer whose allowed IPs fill a message goes on in the next."""
    name, port, public_key = "", 0, b""
    peers: list[KernelPeer] = []
    for body in bodies:
        for kind, value in attribute_list(body[_GENERIC.size :]):
            if kind == WGDEVICE_A_IFNAME:
                name = value.rstrip(b"\0").decode(errors="replace")
            elif kind == WGDEVICE_A_LISTEN_PORT:
                port = _number(_PORT, value)
            elif kind == WGDEVICE_A_PUBLIC_KEY:
                public_key = value
            elif kind == WGDEVICE_A_PEERS:
                for _, item in attribute_list(value):
                    _add(peers, _read_peer(item))
    return Found(name, port, public_key, tuple(peers))


def _add(peers: list[KernelPeer], peer: KernelPeer) -> None:
    if peers and peers[-1].public_key == peer.public_key:
        peers[-1] = replace(peers[-1], allowed=peers[-1].allowed + peer.allowed)
    else:
        peers.append(peer)


def _read_peer(data: bytes) -> KernelPeer:
    items = attributes(data)
    seconds, nanoseconds = _pair(items.get(WGPEER_A_LAST_HANDSHAKE_TIME, b""))
    return KernelPeer(
        items.get(WGPEER_A_PUBLIC_KEY, b""),
        _read_endpoint(items.get(WGPEER_A_ENDPOINT, b"")),
        tuple(_read_allowed(items.get(WGPEER_A_ALLOWEDIPS, b""))),
        _number(_PORT, items.get(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, b"")),
        seconds + nanoseconds / 1e9,
        _number(_COUNT, items.get(WGPEER_A_RX_BYTES, b"")),
        _number(_COUNT, items.get(WGPEER_A_TX_BYTES, b"")),
    )


def _read_allowed(data: bytes) -> Iterator[IPv6Network]:
    for _, item in attribute_list(data):
        parts = attributes(item)
        packed, length = parts.get(WGALLOWEDIP_A_IPADDR, b""), parts.get(WGALLOWEDIP_A_CIDR_MASK, b"")
        if len(packed) == 16 and length and length[0] <= 128:
            yield IPv6Network((packed, length[0]), strict=False)


def _read_endpoint(data: bytes) -> Endpoint | None:
    family = _number(_FAMILY, data)
    if family == socket.AF_INET6 and len(data) >= _SOCKADDR_IN6.size:
        return Endpoint(IPv6Address(data[8:24]), int(_SOCKET_PORT.unpack_from(data, 2)[0]))
    if family == socket.AF_INET and len(data) >= 8:
        return Endpoint(IPv6Address(bytes(10) + b"\xff\xff" + data[4:8]), int(_SOCKET_PORT.unpack_from(data, 2)[0]))
    return None


def _number(form: struct.Struct, data: bytes) -> int:
    return int(form.unpack_from(data)[0]) if len(data) >= form.size else 0


def _pair(data: bytes) -> tuple[int, int]:
    return _TIME.unpack_from(data) if len(data) >= _TIME.size else (0, 0)
