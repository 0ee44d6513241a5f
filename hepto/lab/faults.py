"""What goes wrong in a real network, on order: links that fail, prefixes that change, nodes that move or are replaced.

Each is one coroutine on the holder's state; it returns when the lab is so, not when the nodes have noticed. A fault is
undone by its opposite (`link up`, `move` back, another `prefix`); power cuts are `hepto lab power`. There is no loss
and no delay: the machines that hepto is tested on have no netem.
"""

import asyncio
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Any

from hepto.errors import ExitCode, UserError
from hepto.lab import network, spec
from hepto.lab.router import LinkRouter

if TYPE_CHECKING:
    from hepto.lab.holder import Holder

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


def _router(holder: "Holder", bridge: str) -> LinkRouter:
    for router in holder.routers:
        if router.link.bridge == bridge:
            return router
    known = ", ".join(router.link.bridge for router in holder.routers)
    raise UserError(f"the lab has no link {bridge!r}", f"its links: {known}", ExitCode.USAGE)
