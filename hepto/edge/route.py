"""Links, addresses and routes of this network namespace, read and changed by rtnetlink(7).

Promises: values are frozen and comparable; every change may be asked for again (what is there already is no error).
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from hepto.edge import netlink
from hepto.edge.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Message, Netlink, attribute, attributes, nested

# include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
GROUPS = 0x1 | 0x100 | 0x400
"""RTMGRP_LINK, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE: what a watcher of the network subscribes to."""
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_CARRIER = 1, 3, 4, 18, 33
IFLA_CARRIER_UP_COUNT, IFLA_PERM_ADDRESS = 47, 54
IFLA_INFO_KIND = 1
IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS = 29, 8
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_NODAD, IFA_F_DADFAILED, IFA_F_TENTATIVE, IFA_F_PERMANENT = 0x02, 0x08, 0x40, 0x80
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_TABLE = 1, 4, 5, 6, 7, 8, 15
RTAX_LOCK, RTAX_MTU = 1, 2
RT_TABLE_MAIN = 254
RTPROT_ANY, RTPROT_STATIC = 0, 4
ON_LINK_METRIC = 256
"""Of the routes to the prefixes of a link (IP6_RT_PRIO_ADDRCONF in include/uapi/linux/ipv6_route.h)."""
RTN_UNICAST, RTN_UNREACHABLE = 1, 7
IFF_UP = 0x1
ARPHRD_ETHER = 1

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NUMBER = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Link:
    index: int
    name: str
    up: bool
    carrier: bool
    mtu: int
    ethernet: bool
    kind: str = ""
    """`veth`, `bridge`, `wireguard`, …; empty for hardware."""
    hardware: bytes = b""
    """The permanent hardware address where there is one, else the present one."""
    connections: int = 0
    """How often it has got a carrier."""


@dataclass(frozen=True, slots=True)
class Address:
    index: int
    interface: IPv6Interface
    tentative: bool = False
    failed: bool = False
    """Duplicate address detection found another owner."""
    dynamic: bool = False
    """It has a lifetime."""


@dataclass(frozen=True, slots=True)
class Route:
    destination: IPv6Network
    index: int | None = None
    """The interface; None for `unreachable`."""
    gateway: IPv6Address | None = None
    source: IPv6Address | None = None
    metric: int = 1024
    mtu: int | None = None
    """None: the link's. Set by us it is locked: no Packet Too Big changes it."""


def links(kernel: Netlink) -> tuple[Link, ...]:
    """All links."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(IFLA_EXT_MASK, _NUMBER.pack(RTEXT_FILTER_SKIP_STATS))
    return tuple(map(read_link, kernel.dump("links", RTM_GETLINK, body)))


def read_link(message: Message) -> Link:
    """The link of an RTM_NEWLINK."""
    _, hardware, index, flags, _ = _LINK.unpack_from(message.body)
    items = attributes(message.body[_LINK.size :])
    information = attributes(items.get(IFLA_LINKINFO, b""))
    return Link(
        index=index,
        name=_text(items.get(IFLA_IFNAME, b"")),
        up=bool(flags & IFF_UP),
        carrier=items.get(IFLA_CARRIER, b"\0")[:1] == b"\1" and bool(flags & IFF_UP),
        mtu=_number(items.get(IFLA_MTU)),
        ethernet=hardware == ARPHRD_ETHER,
        kind=_text(information.get(IFLA_INFO_KIND, b"")),
        connections=_number(items.get(IFLA_CARRIER_UP_COUNT)),
        hardware=items.get(IFLA_PERM_ADDRESS, b"") or items.get(IFLA_ADDRESS, b""),
    )


def addresses(kernel: Netlink, index: int = 0) -> tuple[Address, ...]:
    """All IPv6 addresses, or those of one link."""
    body = _ADDRESS.pack(socket.AF_INET6, 0, 0, 0, index)
    return tuple(_each_address(kernel.dump("addresses", RTM_GETADDR, body)))


def _each_address(messages: list[Message]) -> Iterator[Address]:
    for message in messages:
        family, length, flags, _, index = _ADDRESS.unpack_from(message.body)
        items = attributes(message.body[_ADDRESS.size :])
        packed = items.get(IFA_LOCAL) or items.get(IFA_ADDRESS)
        if family == socket.AF_INET6 and packed is not None:
            flags = _number(items.get(IFA_FLAGS), flags)
            yield Address(
                index,
                IPv6Interface((packed, length)),
                tentative=bool(flags & IFA_F_TENTATIVE),
                failed=bool(flags & IFA_F_DADFAILED),
                dynamic=not flags & IFA_F_PERMANENT,
            )


def default_routes(kernel: Netlink, index: int) -> tuple[Route, ...]:
    """The default routes through one link. The kernel filters by it, so that a mesh of thousands costs nothing here."""
    body = _ROUTE.pack(socket.AF_INET6, 0, 0, 0, RT_TABLE_MAIN, 0, 0, 0, 0) + attribute(RTA_OIF, _NUMBER.pack(index))
    found = (read_route(message) for message in kernel.dump("routes", RTM_GETROUTE, body))
    return tuple(route for route in found if route.destination.prefixlen == 0)


def routes(kernel: Netlink, index: int) -> tuple[Route, ...]:
    """The routes of the main table through one link."""
    body = _ROUTE.pack(socket.AF_INET6, 0, 0, 0, RT_TABLE_MAIN, 0, 0, 0, 0) + attribute(RTA_OIF, _NUMBER.pack(index))
    return tuple(map(read_route, kernel.dump("routes", RTM_GETROUTE, body)))


def unreachable_routes(kernel: Netlink) -> tuple[Route, ...]:
    """The `unreachable` routes of the main table. The kernel filters by who made them and by their kind."""
    body = _ROUTE.pack(socket.AF_INET6, 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, 0, RTN_UNREACHABLE, 0)
    found = kernel.dump("routes", RTM_GETROUTE, body)
    # The kernel gives them the loopback interface; they are compared with what was asked for.
    return tuple(replace(read_route(item), index=None) for item in found if item.body[7] == RTN_UNREACHABLE)


def route_to(kernel: Netlink, destination: IPv6Address) -> Route:
    """The way that a packet would take now. Its MTU is None unless the route or a Packet Too Big message says one."""
    body = _ROUTE.pack(socket.AF_INET6, 128, 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_DST, destination.packed)
    (answer,) = kernel.get(f"route to {destination}", RTM_GETROUTE, body)
    return read_route(answer)


def read_route(message: Message) -> Route:
    """The route of an RTM_NEWROUTE (of a multipath route only what all its hops share)."""
    length = message.body[1]
    items = attributes(message.body[_ROUTE.size :])
    gateway, source = items.get(RTA_GATEWAY), items.get(RTA_PREFSRC)
    return Route(
        IPv6Network((items.get(RTA_DST, bytes(16)), length)),
        _number(items[RTA_OIF]) if RTA_OIF in items else None,
        IPv6Address(gateway) if gateway else None,
        IPv6Address(source) if source else None,
        _number(items.get(RTA_PRIORITY)),
        _number(attributes(items.get(RTA_METRICS, b"")).get(RTAX_MTU)) or None,
    )


def set_link(kernel: Netlink, index: int, *, up: bool | None = None, mtu: int | None = None) -> None:
    """Turn a link on or off, change its MTU."""
    flags = 0 if up is None else IFF_UP * up
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, flags, 0 if up is None else IFF_UP)
    if mtu is not None:
        body += attribute(IFLA_MTU, _NUMBER.pack(mtu))
    kernel.request(f"link {index}", RTM_NEWLINK, body)


def add_link(kernel: Netlink, name: str, kind: str, mtu: int) -> None:
    """Make a virtual link. One with that name is left as it is."""
    body = (
        _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        + attribute(IFLA_IFNAME, name.encode() + b"\0")
        + attribute(IFLA_MTU, _NUMBER.pack(mtu))
        + nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, kind.encode()))
    )
    with _present():
        kernel.request(f"link {name}", RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL)


def add_address(kernel: Netlink, index: int, interface: IPv6Interface, *, detect: bool) -> None:
    """Give a link an address for ever; with `detect` duplicate address detection is done first."""
    flags = IFA_F_PERMANENT | (0 if detect else IFA_F_NODAD)
    body = _address_body(index, interface, flags)
    with _present():
        kernel.request(f"address {interface}", RTM_NEWADDR, body, NLM_F_CREATE | NLM_F_EXCL)


def remove_address(kernel: Netlink, index: int, interface: IPv6Interface) -> None:
    """Take an address from a link. One that is not there is no error."""
    with _absent(errno.EADDRNOTAVAIL):
        kernel.request(f"address {interface}", RTM_DELADDR, _address_body(index, interface, 0))


def _address_body(index: int, interface: IPv6Interface, flags: int) -> bytes:
    packed = interface.ip.packed
    return (
        _ADDRESS.pack(socket.AF_INET6, interface.network.prefixlen, flags, 0, index)
        + attribute(IFA_LOCAL, packed)
        + attribute(IFA_ADDRESS, packed)
        + attribute(IFA_FLAGS, _NUMBER.pack(flags))
    )


def add_route(kernel: Netlink, route: Route) -> None:
    """Add the route, or replace the one with the same destination and metric."""
    kernel.request(f"route {route.destination}", RTM_NEWROUTE, _route_body(route), NLM_F_CREATE | NLM_F_REPLACE)


def remove_route(kernel: Netlink, route: Route, made_by: int = RTPROT_STATIC) -> None:
    """Remove the route, if we made it, or whoever did (RTPROT_ANY). One that is not there is no error."""
    with _absent(errno.ESRCH):
        kernel.request(f"route {route.destination}", RTM_DELROUTE, _route_body(route, made_by))


def _route_body(route: Route, made_by: int = RTPROT_STATIC) -> bytes:
    kind = RTN_UNREACHABLE if route.index is None else RTN_UNICAST
    body = _ROUTE.pack(
        socket.AF_INET6, route.destination.prefixlen, 0, 0, RT_TABLE_MAIN, made_by, 0, kind, 0
    ) + attribute(RTA_DST, route.destination.network_address.packed)
    if route.index is not None:
        body += attribute(RTA_OIF, _NUMBER.pack(route.index))
    if route.gateway is not None:
        body += attribute(RTA_GATEWAY, route.gateway.packed)
    if route.source is not None:
        body += attribute(RTA_PREFSRC, route.source.packed)
    if route.mtu is not None:
        lock = attribute(RTAX_LOCK, _NUMBER.pack(1 << RTAX_MTU))
        body += attribute(RTA_METRICS, lock + attribute(RTAX_MTU, _NUMBER.pack(route.mtu)))
    return body + attribute(RTA_PRIORITY, _NUMBER.pack(route.metric))


def index_of(name: str) -> int | None:
    """The index of a link by its name, None when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def sysctl(name: str, value: str, root: str = "/proc/sys") -> None:
    """Set a kernel variable, its name with slashes (an interface's name may hold a dot). Raises OSError."""
    descriptor = os.open(f"{root}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def watch() -> socket.socket:
    """A socket that becomes readable when a link, an address or a route has changed."""
    return netlink.subscribe(netlink.NETLINK_ROUTE, GROUPS)


@contextlib.contextmanager
def _present() -> Iterator[None]:
    with contextlib.suppress(FileExistsError):
        yield


@contextlib.contextmanager
def _absent(code: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != code:
            raise


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


def _number(data: bytes | None, default: int = 0) -> int:
    return int(_NUMBER.unpack_from(data)[0]) if data and len(data) >= _NUMBER.size else default
