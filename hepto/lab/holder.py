"""PID 1 of a lab: makes its network, starts its machines, and serves the commands on one Unix socket.

Started by the keeper as `python -m hepto.lab.holder DIRECTORY LEASH ALIVE`. It ends when it is told to, when the
leash breaks before "keep", or when the keeper's pipe ends; with it end, by the kernel, all processes and the network
of the lab.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Coroutine
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from hepto.errors import UserError
from hepto.lab import network, router, spec, state
from hepto.lab.session import Session
from hepto.lab.spec import DOMAIN, IPV4, LINKS, ONLY_IPV4, OUTSIDE
from hepto.lab.vm import VirtualMachine

GRACE = 90.0
"""Seconds that all nodes together have for an ordered shutdown."""


class Holder:
    """One lab."""

    def __init__(self, lab: spec.Lab, where: state.Place, leash: socket.socket, alive: int) -> None:
        self.lab = lab
        self.where = where
        self.machines: dict[str, VirtualMachine] = {}
        self.routers: tuple[router.LinkRouter, ...] = ()
        self.links: dict[str, router.LinkRouter] = {}
        """Where each node is plugged in."""
        self.taps: dict[str, str] = {}
        """Interface names, by node."""
        self.losses: dict[tuple[str, str], int] = {}
        """Of the frames from one tap to another, in percent."""
        self.outside: subprocess.Popen[str] | None = None
        self.over = asyncio.Event()
        self.changes = asyncio.Condition()
        self._leash = leash
        self._alive = alive
        self._table: dict[str, IPv6Address | IPv4Address] = {}
        """What the DNS servers know."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """The lab from its first link to its end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.over.set)
        loop.add_reader(self._alive, self.over.set)  # nothing is ever written: readable means that the keeper is gone
        leash = self.start(self._hold_leash())
        try:
            await self._make()
        except UserError as error:
            await self._say({"error": error.what, "hint": error.hint})
            return
        await self._say({"ready": os.getpid()})
        await self.over.wait()
        leash.cancel()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside; asyncio itself keeps only weak references."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def changed(self) -> None:
        """Something that `snapshot` shows is different now."""

        async def tell() -> None:
            async with self.changes:
                self.changes.notify_all()

        self.start(tell())

    def snapshot(self) -> dict[str, object]:
        """The lab as the commands see it."""
        nodes = [
            {
                "name": name,
                "on": machine.power.on,
                "reason": machine.power.reason,
                "boots": machine.power.boots,
                "channel": machine.channel_open,
                "address": str(self.address(name)),
                "link": self.links[name].link.bridge,
                "link_up": machine.link_up,
                "kubernetes": machine.node.kubernetes,
                "format": machine.node.format,
                "memory": machine.node.memory,
                "cpus": machine.node.cpus,
                "console": str(self.where.node(name).console),
                "data": str(self.where.node(name).data) if machine.node.disk else None,
            }
            for name, machine in self.machines.items()
        ]
        emulator = {
            "version": ".".join(map(str, self.lab.emulator.version)),
            "accelerator": self.lab.emulator.accelerator,
        }
        return {
            "name": self.lab.name,
            "cluster": self.lab.cluster,
            "image": self.lab.image,
            "build": self.lab.build,
            "asked": dict(self.lab.asked),
            "emulator": emulator,
            "links": [{"name": item.link.bridge, "prefix": str(item.prefix)} for item in self.routers],
            "nodes": nodes,
        }

    def machine(self, name: str) -> VirtualMachine:
        """The node of that name. Raises UserError."""
        found = self.machines.get(name)
        if found is None:
            known = ", ".join(self.machines)
            raise UserError(f"lab {self.lab.name} has no node {name!r}", f"its nodes: {known}")
        return found

    def address(self, name: str) -> IPv6Address:
        """The one that the node makes from the prefix that its link has now."""
        return self.lab.address(name, self.links[name].prefix, self.machines[name].generation)

    def readdress(self) -> None:
        """Addresses may have become others: tell the DNS servers and whoever watches."""
        self._table[f"router.{DOMAIN}"] = router.first(self.routers[0].prefix)
        self._table[f"outside.{DOMAIN}"] = OUTSIDE
        self._table[ONLY_IPV4] = IPV4
        self._table.update({f"{name}.{DOMAIN}": self.address(name) for name in self.machines})
        self.changed()

    async def shut_down(self) -> None:
        """Press every power button and wait until the nodes are off, or for GRACE."""
        for machine in self.machines.values():
            with contextlib.suppress(UserError):
                machine.press("button")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE), self.changes:
                await self.changes.wait_for(lambda: not any(item.power.on for item in self.machines.values()))

    async def _make(self) -> None:
        network.make()
        advertises = self.lab.advertise
        self.routers = tuple(router.LinkRouter(link, self._table, advertises=advertises) for link in LINKS)
        for item in self.routers:
            self.start(item.run())
            await item.serve_names()
        self._start_outside()
        for number, node in enumerate(self.lab.nodes):
            name = self.taps[node.name] = network.tap_name(node.name, number)
            files = self.where.node(node.name)
            machine = VirtualMachine(self.lab, node, files, network.tap(name), self.changed)
            machine.prepare()
            self.machines[node.name] = machine
            self.links[node.name] = self.routers[0]
        self.readdress()
        with state.short_path(self.where.directory / state.SOCKET) as path:
            await asyncio.start_unix_server(lambda reader, writer: Session(self, reader, writer).run(), path)
        for machine in self.machines.values():
            if machine.node.on:
                await machine.switch_on()

    def _start_outside(self) -> None:
        command = ["unshare", "--net", sys.executable, "-m", "hepto.lab.outside"]
        self.outside = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.outside.stdin is not None
        assert self.outside.stdout is not None
        # Its first line says that it is in its namespace: before, the link would go to ours.
        if self.outside.stdout.readline() != "here\n":
            raise UserError("the host behind the router does not start", f"see {self.where.log}")
        network.give_uplink(self.outside.pid)
        self.outside.stdin.write("go\n")
        if self.outside.stdout.readline() != "ready\n":
            raise UserError("the host behind the router does not serve", f"see {self.where.log}")

    async def _hold_leash(self) -> None:
        """Until the command says "keep", its end is ours."""
        loop = asyncio.get_running_loop()
        if b"keep" not in await loop.sock_recv(self._leash, 64):
            self.over.set()

    async def _say(self, message: dict[str, object]) -> None:
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._leash, json.dumps(message).encode() + b"\n")


def main(arguments: list[str]) -> int:
    """Read the lab's specification from the leash and hold the lab."""
    os.umask(0o077)
    leash = socket.socket(fileno=int(arguments[1]))
    received = b""
    while not received.endswith(b"\n"):
        piece = leash.recv(65536)
        if not piece:
            return 1
        received += piece
    leash.setblocking(False)
    try:
        lab = spec.load(received)
        asyncio.run(_hold(lab, state.Place(Path(arguments[0])), leash, int(arguments[2])))
    except Exception as error:  # noqa: BLE001  the command shows the reason instead of "the holder is gone"
        traceback.print_exc()
        with contextlib.suppress(OSError):
            leash.send(json.dumps({"error": f"the lab's holder has failed: {error!r}"}).encode() + b"\n")
        return 1
    return 0


async def _hold(lab: spec.Lab, where: state.Place, leash: socket.socket, alive: int) -> None:
    await Holder(lab, where, leash, alive).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # QEMU needs no farewell: the kernel ends it with us
