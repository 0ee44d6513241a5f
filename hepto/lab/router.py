"""The lab's router at work:

advertisements on the bridge (at once to who solicits) and the DNS server. Forwarding is the kernel's.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from ipaddress import IPv6Address

from hepto.lab import names
from hepto.lab.advertise import (
    HOP_LIMIT,
    ROUTER_SOLICITATION,
    Advertisement,
    Prefix,
    Resolvers,
    SearchDomains,
)
from hepto.lab.network import MTU
from hepto.lab.spec import BRIDGE, DOMAIN, LAB_NETWORK, ROUTER, ROUTER_LINK_LOCAL

ALL_NODES = "ff02::1"
ALL_ROUTERS = "ff02::2"
INTERVAL = 10.0
"""Seconds between unsolicited advertisements; RFC 4861 allows three as the least."""
ICMP6_FILTER = 1  # linux/icmpv6.h
DNS_PORT = 53


def advertisement(hardware_address: bytes) -> Advertisement:
    """What the lab's router says."""
    return Advertisement(
        link_layer_address=hardware_address,
        mtu=MTU,
        prefixes=(Prefix(LAB_NETWORK),),
        resolvers=(Resolvers((ROUTER,)),),
        search_domains=(SearchDomains((DOMAIN,)),),
    )


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


async def advertise(raw: socket.socket, message: bytes, link: str = BRIDGE) -> None:
    """Send `message` now, at every solicitation and every INTERVAL, for ever."""
    loop = asyncio.get_running_loop()
    everybody = (ALL_NODES, 0, 0, socket.if_nametoindex(link))
    while True:
        with contextlib.suppress(OSError):  # no port has carrier yet
            raw.sendto(message, everybody)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL):
                # Answering all nodes is allowed (RFC 4861 section 6.2.6) and serves a host that has no address yet.
                await loop.sock_recvfrom(raw, 1500)


class Resolver(asyncio.DatagramProtocol):
    """The DNS server's datagrams."""

    def __init__(self, table: Mapping[str, IPv6Address]) -> None:
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


async def serve_names(table: Mapping[str, IPv6Address], address: IPv6Address = ROUTER) -> asyncio.DatagramTransport:
    """Start the DNS server."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Resolver(table), local_addr=(str(address), DNS_PORT), family=socket.AF_INET6
    )
    return transport
