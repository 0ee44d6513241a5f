"""The node's interface: made in the node's network namespace, as a further station on an interface of the host.

    macvlan   its own MAC on the host's interface; the host itself cannot be reached through it
    ipvlan    where that is refused: the host's MAC, an address of its own
    veth      if the host's interface is a bridge: a port of it

All of them go with the node's namespace. Nothing of the host's interface is changed.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hepto.edge import namespaces, netlink, route
from hepto.errors import ExitCode, UserError
from hepto.host.plan import INTERFACE

if TYPE_CHECKING:
    from pyroute2 import IPRoute

CLASS = Path("/sys/class/net")
CHOOSE = "name one that is up and leads to a router with --iface; “ls /sys/class/net” lists what there is"


def check(name: str, sys: Path = CLASS) -> None:
    """Raises UserError if a node cannot have an interface on that one."""
    link = sys / name
    if not link.exists():
        raise UserError(f"there is no interface {name} on this host", CHOOSE, ExitCode.USAGE)
    if (link / "master").exists():
        master = (link / "master").resolve().name
        what = "bridge" if (link / "brport").exists() else "interface"
        raise UserError(
            f"{name} is a port of {what} {master}, which takes all that it hears",
            f"use --iface {master}",
            ExitCode.USAGE,
        )


def default(routes: str) -> str | None:
    """The interface of the default route, from /proc/net/ipv6_route; None without one.

    Fields: destination, its length, source, its length, gateway, metric, two counters, flags, interface.
    """
    found = [line.split() for line in routes.splitlines()]
    defaults = [row for row in found if len(row) == 10 and row[0] == "0" * 32 and row[1] == "00" and row[9] != "lo"]
    return min(defaults, key=lambda row: int(row[5], 16))[9] if defaults else None


def temporary(node: str) -> str:
    """The name that a link is made by, which the host must have none of: at most 15 characters."""
    return f"hepto-{hashlib.sha256(node.encode()).hexdigest()[:8]}"


def attach(iface: str, node: str, hardware_address: str, pid: int) -> str:
    """Give the network namespace of process `pid` its interface; returns of which kind it is. Raises UserError."""
    from pyroute2 import IPRoute

    name = temporary(node)
    with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
        under = next((link for link in route.links(kernel) if link.name == iface), None)
    if under is None:
        raise UserError(f"there is no interface {iface} on this host any more", CHOOSE)
    with IPRoute() as links:
        if under.kind == "bridge":
            return _veth(links, under.index, name, hardware_address, pid)
        kind = _station(links, under.index, name, hardware_address, pid)
    # Up to Linux 6.12 a new link's name must be free in its maker's namespace, too, where eth0 may well be.
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with namespaces.entered_network(network), IPRoute() as inside:
            (made,) = inside.link_lookup(ifname=name)
            inside.link("set", index=made, ifname=INTERFACE)
    finally:
        os.close(network)
    return kind


def _station(links: "IPRoute", index: int, name: str, hardware_address: str, pid: int) -> str:
    from pyroute2.netlink.exceptions import NetlinkError

    refusals = []
    for kind, more in (
        ("macvlan", {"macvlan_mode": "bridge", "address": hardware_address}),
        ("ipvlan", {"ipvlan_mode": 0}),
    ):
        try:
            links.link("add", ifname=name, kind=kind, link=index, net_ns_pid=pid, **more)
        except NetlinkError as error:
            refusals.append(f"{kind}: {error.args[1]}")
        else:
            return kind
    raise UserError(
        f"the interface takes no further station ({'; '.join(refusals)})",
        "load the modules macvlan and ipvlan (modprobe), or use --iface with a bridge",
    )


def _veth(links: "IPRoute", index: int, name: str, hardware_address: str, pid: int) -> str:
    peer = {"ifname": INTERFACE, "address": hardware_address, "net_ns_pid": pid}
    links.link("add", ifname=name, kind="veth", master=index, peer=peer)
    (end,) = links.link_lookup(ifname=name)
    with contextlib.suppress(OSError):  # a port is no station of the host's
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    links.link("set", index=end, state="up")
    return "veth"
