"""The lab's router at work, one `LinkRouter` a link:

advertisements (at once to who solicits) and the DNS server. Forwarding is the kernel's.
"""

import asyncio
import contextlib
import socket
import struct
from ipaddress import IPv6Address, IPv6Network

from hepto.lab import names, network
from hepto.lab.advertise import (
    HOP_LIMIT,
    ROUTER_SOLICITATION,
    Advertisement,
    Nat64,
    Prefix,
    Resolvers,
    SearchDomains,
)
from hepto.lab.network import MTU
from hepto.lab.spec import BRIDGE, DOMAIN, NAT64, ROUTER_LINK_LOCAL, Link

ALL_NODES = "ff02::1"
ALL_ROUTERS = "ff02::2"
INTERVAL = 10.0
"""Seconds between unsolicited advertisements; RFC 4861 allows three as the least."""
ICMP6_FILTER = 1  # linux/icmpv6.h
DNS_PORT = 53


def advertisement(
    hardware_address: bytes,
    prefix: IPv6Network,
    withdrawn: tuple[IPv6Network, ...] = (),
    nat64: tuple[Nat64, ...] = (),
) -> Advertisement:
    """What the router of a link says.

    Withdrawn prefixes get lifetimes of zero: hosts prefer them no longer at once, and forget them within two hours
    (RFC 4862 section 5.5.3 e: sooner an unauthenticated router may not make them).
    """
    return Advertisement(
        link_layer_address=hardware_address,
        mtu=MTU,
        prefixes=(Prefix(prefix), *(Prefix(old, valid=0, preferred=0) for old in withdrawn)),
        resolvers=(
            Resolvers((first(prefix),)),
            *(Resolvers((first(old),), lifetime=0) for old in withdrawn),
        ),
        search_domains=(SearchDomains((DOMAIN,)),),
        nat64=nat64,
    )


def first(prefix: IPv6Network) -> IPv6Address:
    """The router's address in a prefix."""
    return prefix[1]


class LinkRouter:
    """The router on one link whose bridge is up. `table` is what its DNS server knows; it may change."""

    def __init__(self, link: Link, table: names.Table, *, advertises: bool = True) -> None:
        self.link = link
        self.prefix = link.network
        self._table = table
        self._withdrawn: tuple[IPv6Network, ...] = ()
        self._nat64: tuple[Nat64, ...] = ()
        self._raw = advertising_socket(link.bridge) if advertises else None
        self._names: asyncio.DatagramTransport | None = None

    async def run(self) -> None:
        """Advertise now, at every solicitation and every INTERVAL, for ever."""
        loop = asyncio.get_running_loop()
        while self._raw is not None:
            self.announce()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    # Answering all nodes is allowed (RFC 4861 section 6.2.6) and serves a host without an address.
                    await loop.sock_recvfrom(self._raw, 1500)

    def announce(self) -> None:
        """Send an advertisement."""
        if self._raw is None:
            return
        message = advertisement(self.link.hardware_address, self.prefix, self._withdrawn, self._nat64).encode()
        with contextlib.suppress(OSError):  # no port has carrier yet
            self._raw.sendto(message, (ALL_NODES, 0, 0, socket.if_nametoindex(self.link.bridge)))

    async def serve_names(self) -> None:
        """Answer questions at the router's address in the prefix of now."""
        if self._names is not None:
            self._names.close()
        self._names = await serve_names(self._table, first(self.prefix))

    async def renumber(self, prefix: IPv6Network) -> None:
        """Another prefix from now on: the old one is withdrawn, and the router is not there any more."""
        if prefix == self.prefix:
            return
        network.renumber(self.link.bridge, first(self.prefix), first(prefix))
        self._withdrawn = tuple(old for old in (*self._withdrawn, self.prefix) if old != prefix)
        self.prefix = prefix
        await self.serve_names()
        self.announce()

    def translate(self, *, on: bool) -> None:
        """Advertise a translator to IPv4, or that it is gone."""
        self._nat64 = (Nat64(NAT64),) if on else (Nat64(NAT64, lifetime=0),)
        self.announce()


def advertising_socket(link: str = BRIDGE, source: IPv6Address = ROUTER_LINK_LOCAL) -> socket.socket:
    """A raw socket that hears solicitations on `link` and sends from `source`."""
    index = socket.if_nametoindex(link)
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOP_LIMIT)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    group = socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + struct.pack("@I", index)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    blocked = bytearray(b"\xff" * 32)  # a set bit blocks that type
    blocked[ROUTER_SOLICITATION // 32 * 4 : ROUTER_SOLICITATION // 32 * 4 + 4] = struct.pack(
        "@I", 0xFFFFFFFF ^ (1 << ROUTER_SOLICITATION % 32)
    )
    raw.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, bytes(blocked))
    raw.bind((str(source), 0, 0, index))
    return raw


class Resolver(asyncio.DatagramProtocol):
    """The DNS server's datagrams."""

    def __init__(self, table: names.Table) -> None:
        self._table = table
        self._transport: asyncio.DatagramTransport | None = None

    # The loop's datagram transport of Python 3.11 is no instance of DatagramTransport, whatever the type hints say.
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """The socket is bound."""
        self._transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        """A question."""
        reply = names.answer(data, self._table)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, source)


async def serve_names(table: names.Table, address: IPv6Address) -> asyncio.DatagramTransport:
    """Start the DNS server."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Resolver(table), local_addr=(str(address), DNS_PORT), family=socket.AF_INET6
    )
    return transport
