"""The lab's network inside the holder's own network namespace: a bridge a link, a tap for each node, a link to the host
behind the router.

There is no IPv4 address in it, not even 127.0.0.1. Nothing here is removed but a prefix that has become another: all
ends with the namespace.
"""

import contextlib
import fcntl
import os
import struct
from ipaddress import IPv6Address
from pathlib import Path

from pyroute2 import IPRoute

from hepto.errors import UserError
from hepto.lab.spec import (
    BRIDGE,
    LINKS,
    NAT64,
    OUTSIDE,
    OUTSIDE_NETWORK,
    OUTSIDE_ROUTER,
    ROUTER_LINK_LOCAL,
    TRANSLATED,
    UPLINK,
    Link,
)

MTU = 1500
INTERFACE_NAME_LIMIT = 15

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000

# linux/if_addr.h: the address is usable at once; nobody else is on these links
IFA_F_NODAD = 0x02


def make() -> None:
    """The bridges with the router's addresses, and the uplink."""
    with IPRoute() as links:
        _loopback(links)
        for link in LINKS:
            _bridge(links, link)
        links.link("add", ifname=UPLINK, kind="veth", peer={"ifname": "outside0"})
        uplink = links.link_lookup(ifname=UPLINK)[0]
        _sysctl(UPLINK, "accept_dad", "0")
        links.link("set", index=uplink, state="up")
        address(links, uplink, str(OUTSIDE_ROUTER), OUTSIDE_NETWORK.prefixlen)
        links.route("add", dst=str(NAT64), gateway=str(OUTSIDE), oif=uplink)
        _sysctl("all", "forwarding", "1")


def _bridge(links: IPRoute, link: Link) -> None:
    # Multicast snooping would keep neighbour discovery from ports that have not reported yet.
    links.link("add", ifname=link.bridge, kind="bridge", br_mcast_snooping=0, address=link.hardware_address.hex(":"))
    index = links.link_lookup(ifname=link.bridge)[0]
    _sysctl(link.bridge, "accept_dad", "0")
    links.link("set", index=index, state="up")
    address(links, index, str(ROUTER_LINK_LOCAL), 64)
    address(links, index, str(link.network[1]), link.network.prefixlen)


def renumber(bridge: str, old: IPv6Address, new: IPv6Address) -> None:
    """Give the router the address `new` instead of `old`; with it goes its route to the old prefix."""
    with IPRoute() as links:
        index = links.link_lookup(ifname=bridge)[0]
        address(links, index, str(new), 64)
        links.addr("del", index=index, address=str(old), prefixlen=64)


def limit(mtu: int) -> None:
    """Let the router pass on no packet to a link that is longer than that; it tells the sender (Packet Too Big)."""
    with IPRoute() as links:
        for link in LINKS:
            links.link("set", index=links.link_lookup(ifname=link.bridge)[0], mtu=mtu)


def give_uplink(pid: int) -> None:
    """Hand the far end of the uplink to the namespace of process `pid`."""
    with IPRoute() as links:
        links.link("set", index=links.link_lookup(ifname="outside0")[0], net_ns_pid=pid)


def join_outside() -> None:
    """Called in the outer namespace, once its link is there."""
    with IPRoute() as links:
        _loopback(links)
        link = links.link_lookup(ifname="outside0")[0]
        _sysctl("outside0", "accept_dad", "0")
        links.link("set", index=link, state="up")
        address(links, link, str(OUTSIDE), OUTSIDE_NETWORK.prefixlen)
        address(links, link, str(TRANSLATED), 128)
        links.route("add", dst="default", gateway=str(OUTSIDE_ROUTER), oif=link)


def tap_name(node: str, number: int) -> str:
    """Of the interface that the node at this place of the lab has on its bridge."""
    return f"tap{number}-{node}"[:INTERFACE_NAME_LIMIT]


def tap(name: str) -> int:
    """A tap device on the first bridge; the descriptor belongs to the caller, and the device lives as long as it."""
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UserError(
            f"/dev/net/tun cannot be opened: {error.strerror}",
            "run `modprobe tun`, and as root `chmod 0666 /dev/net/tun` (what udev does), or run the lab as root",
        ) from None
    request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    with IPRoute() as links:
        link = links.link_lookup(ifname=name)[0]
        _sysctl(name, "disable_ipv6", "1")  # a port of the bridge is no host
        links.link("set", index=link, state="up")
    plug(name, BRIDGE)
    return descriptor


def plug(name: str, bridge: str) -> None:
    """Make a tap a port of that bridge."""
    with IPRoute() as links:
        (link,), (master,) = links.link_lookup(ifname=name), links.link_lookup(ifname=bridge)
        links.link("set", index=link, master=master)


def address(links: IPRoute, link: int, value: str, length: int) -> None:
    """Add an address that needs no duplicate detection."""
    links.addr("add", index=link, address=value, prefixlen=length, flags=IFA_F_NODAD)


def _loopback(links: IPRoute) -> None:
    loopback = links.link_lookup(ifname="lo")[0]
    links.link("set", index=loopback, state="up")
    # The kernel adds 127.0.0.1 by itself when lo comes up.
    with contextlib.suppress(Exception):
        links.addr("del", index=loopback, address="127.0.0.1", prefixlen=8)


def _sysctl(link: str, name: str, value: str) -> None:
    (Path("/proc/sys/net/ipv6/conf") / link / name).write_text(value)
