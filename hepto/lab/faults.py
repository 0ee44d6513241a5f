"""What goes wrong with real networks and machines, on order: links that fail or lose frames, prefixes that change,
nodes that move or are replaced, disks that break.

Each is one coroutine on the holder's state; it returns when the lab is so, not when the nodes have noticed. A fault is
undone by its opposite (`link up`, `loss` of 0, `disk ok`, `move` back, another `prefix`, `clock now`); power cuts are
`hepto lab power`. There is no delay: the machines that hepto is tested on have no netem.
"""

import asyncio
import contextlib
import datetime
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Any

from hepto.errors import ExitCode, UserError
from hepto.lab import network, spec
from hepto.lab.router import LinkRouter

if TYPE_CHECKING:
    from hepto.lab.holder import Holder

NOW = "now"
CLOCK_BEGINS, CLOCK_ENDS = 1970, 2106
"""Years. What QEMU is told beyond (its seconds have 32 bits) the machine shows as another year."""
TELL = "table ip6 silence { }\ndelete table ip6 silence\n"
TELL_NOTHING = """table ip6 silence {
    chain output {
        type filter hook output priority 0
        icmpv6 type packet-too-big drop
    }
}
"""
LOSSES = """table bridge losses {{ }}
delete table bridge losses
table bridge losses {{
    chain forward {{
        type filter hook forward priority 0
        {rules}
    }}
}}
"""
LOSS = 'iifname "{tap}" oifname "{other}" numgen random mod 100 >= {kept} counter drop'
"""The counter tells how much was lost."""
OFF_LIMIT = 10.0
"""Seconds for QEMU to end after SIGKILL."""


async def inject(holder: "Holder", fault: dict[str, Any]) -> None:
    """Do what `{"kind": …}` says. Raises UserError, and KeyError or ValueError for what is no fault."""
    match fault["kind"]:
        case "prefix":
            await _renumber(holder, fault["bridge"], spec.prefix(fault["prefix"]))
        case "link":
            holder.machine(fault["node"]).set_link(up=bool(fault["up"]))
        case "move":
            _move(holder, fault["node"], fault["bridge"])
        case "replace":
            await _replace(holder, fault["node"])
        case "mtu":
            await _limit(int(fault["mtu"]), silent=bool(fault["silent"]))
        case "loss":
            await _lose(holder, fault["node"], fault["to"], int(fault["percent"]))
        case "clock":
            holder.machine(fault["node"]).clock = _time(fault["time"])
        case "disk":
            _break_disk(holder, fault["node"], broken=bool(fault["broken"]))
        case "nat64":
            for router in holder.routers:
                router.translate(on=bool(fault["on"]))
        case kind:
            raise ValueError(kind)
    holder.readdress()


async def _renumber(holder: "Holder", bridge: str, prefix: IPv6Network) -> None:
    router = _router(holder, bridge)
    taken = [other.prefix for other in holder.routers if other is not router]
    if any(prefix.overlaps(other) for other in taken):
        raise UserError(f"{prefix} is the prefix of another link", spec.PREFIX_HINT, ExitCode.USAGE)
    await router.renumber(prefix)


def _move(holder: "Holder", node: str, bridge: str) -> None:
    """Pull the cable, and plug it in at another bridge: the node sees its carrier go and come."""
    machine, router = holder.machine(node), _router(holder, bridge)
    was = machine.link_up
    machine.set_link(up=False)
    network.plug(holder.taps[node], router.link.bridge)
    holder.links[node] = router
    machine.set_link(up=was)


async def _replace(holder: "Holder", node: str) -> None:
    """Another machine of the same name: a blank disk, another UUID, another MAC address. It is switched on."""
    machine = holder.machine(node)
    machine.switch_off()
    try:
        async with asyncio.timeout(OFF_LIMIT), holder.changes:
            await holder.changes.wait_for(lambda: not machine.power.on)
    except TimeoutError:
        raise UserError(f"{node} does not end", "see qemu.log in the lab's directory") from None
    machine.replace()
    await machine.switch_on()


def _break_disk(holder: "Holder", node: str, *, broken: bool) -> None:
    machine = holder.machine(node)
    if not machine.node.disk:
        raise UserError(f"{node} has no data disk", "make the lab with --disk MIB", ExitCode.USAGE)
    machine.break_disk(broken=broken)


async def _limit(mtu: int, *, silent: bool) -> None:
    """The router passes on nothing longer, and says so to the sender, or not: a black hole."""
    if not spec.LEAST_MTU <= mtu <= network.MTU:
        what = (
            f"packets of {mtu} bytes: IPv6 wants links that carry {spec.LEAST_MTU}, and the lab's carry {network.MTU}"
        )
        raise UserError(what, f"give a number from {spec.LEAST_MTU} to {network.MTU}", ExitCode.USAGE)
    await _nft(TELL + TELL_NOTHING if silent else TELL)
    network.limit(mtu)


async def _lose(holder: "Holder", node: str, other: str, percent: int) -> None:
    """Drop so many of the frames that a bridge passes on from one node to another; those that come back are others'."""
    tap, others = (holder.taps[holder.machine(name).node.name] for name in (node, other))
    if tap == others or not 0 <= percent <= 100:
        what = f"{node} to {other}, {percent} %: this cannot be lost on a link"
        raise UserError(what, "name two nodes, and a number from 0 to 100", ExitCode.USAGE)
    losses = {**holder.losses, (tap, others): percent}
    wanted = {pair: share for pair, share in losses.items() if share}
    rules = (LOSS.format(tap=tap, other=others, kept=100 - share) for (tap, others), share in wanted.items())
    await _nft(LOSSES.format(rules="\n        ".join(rules)))
    holder.losses = wanted


async def _nft(script: str) -> None:
    """In the router's network. Raises UserError."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("nft", "-f", "-", stdin=pipe, stdout=pipe, stderr=pipe)
    _, errors = await process.communicate(script.encode())
    if process.returncode:
        raise UserError(f"nft refuses: {errors.decode(errors='replace').strip()}", "is nftables installed here?")


def _time(text: str) -> str:
    """As QEMU reads it. Raises UserError."""
    if text == NOW:
        return ""
    with contextlib.suppress(ValueError):
        time = datetime.datetime.fromisoformat(text)
        time = time.astimezone(datetime.UTC) if time.tzinfo is not None else time
        time = time.replace(tzinfo=None, microsecond=0)
        if CLOCK_BEGINS <= time.year < CLOCK_ENDS:
            return time.isoformat()
    hint = f"give one such as 1970-01-01 or 2099-06-01T12:00:00, or {NOW}"
    raise UserError(f"{text!r} is no time that such a clock shows", hint, ExitCode.USAGE)


def _router(holder: "Holder", bridge: str) -> LinkRouter:
    for router in holder.routers:
        if router.link.bridge == bridge:
            return router
    known = ", ".join(router.link.bridge for router in holder.routers)
    raise UserError(f"the lab has no link {bridge!r}", f"its links: {known}", ExitCode.USAGE)
