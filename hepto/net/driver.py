"""The network machine's hands: netlink, a raw ICMPv6 socket, packet sockets for solicitations, sysctls.

Promises: an interface is turned on only after `guard` has put it under the firewall and after its variables are set,
and forwarding only after that. Errors of one interface are logged and met again with the next change; they end nothing.
"""

import asyncio
import contextlib
import errno
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv6Address, IPv6Network

from hepto.edge import files, netlink, route
from hepto.edge.pump import Pump
from hepto.errors import PeerError
from hepto.log import Log
from hepto.machine import Effect, Event, Level, Note
from hepto.net import solicit
from hepto.net.advertisement import ROUTER_ADVERTISEMENT, parse
from hepto.net.machine import NetworkMachine
from hepto.net.model import (
    Address,
    Again,
    Close,
    Interface,
    Observed,
    Open,
    Received,
    RemoveGateway,
    SetAddress,
    SetGateway,
    Settings,
    Solicit,
    View,
    Withdraw,
)

ICMP6_FILTER = 1  # include/uapi/linux/icmpv6.h
ETH_P_IPV6 = 0x86DD
SETTLE_SECONDS = 0.02
"""Changes come in bursts (a link that is turned on makes five): look once."""
RECEIVE_BYTES = 9001
RETRY_SECONDS = 2.0

Guard = Callable[[tuple[str, ...]], Awaitable[None]]


class NetworkDriver:
    """One underlay. `guard` is given the names of all interfaces before any is turned on; `changed` each new view.

    `trouble` hears why an interface could not be turned on (it is tried again), and "" when it could.
    """

    def __init__(
        self,
        settings: Settings,
        guard: Guard,
        changed: Callable[[View], None],
        trouble: Callable[[str], None],
        sysctls: str = "/proc/sys",
    ):
        self._log = Log("net")
        self._named = settings.iface
        self._machine = NetworkMachine(settings, random.SystemRandom())
        self._guard = guard
        self._changed = changed
        self._trouble = trouble
        self._sysctls = sysctls
        self._view: View | None = None
        self._refused: dict[str, int] = {}
        self._work: asyncio.Queue[Effect] = asyncio.Queue()
        self._look: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Keep the underlay up until cancelled."""
        with contextlib.ExitStack() as stack:
            self._kernel = stack.enter_context(netlink.Netlink(netlink.NETLINK_ROUTE))
            watcher = stack.enter_context(route.watch())
            ears = stack.enter_context(_listener())
            self._pump: Pump[Event, Effect] = Pump(self._machine, self._work.put_nowait, self._settled)
            stack.callback(self._pump.close)
            self._prepare()
            with _readable(watcher, lambda: self._drain(watcher)), _readable(ears, lambda: self._hear(ears)):
                self._observe()
                await self._perform_until_idle()
                self._set("net/ipv6/conf/all/forwarding", "1")
                while True:
                    await self._perform(await self._work.get())

    @property
    def view(self) -> View:
        """What there is now."""
        return self._machine.view

    @property
    def refused(self) -> dict[str, int]:
        """How many advertisements were refused, by reason."""
        return dict(self._refused)

    def _prepare(self) -> None:
        self._set("net/ipv6/conf/default/accept_ra", "0")
        self._set("net/ipv6/conf/default/accept_redirects", "0")
        for link in route.links(self._kernel):
            if not _translate(link).could_be_underlay:
                self._set(f"net/ipv6/conf/{link.name}/accept_ra", "0")

    # --- facts

    def _drain(self, watcher: socket.socket) -> None:
        while True:
            try:
                watcher.recv(netlink.RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # changes were lost: all is read again below in any case
                    raise
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._observe)

    def _observe(self) -> None:
        self._look = None
        found = []
        for link in route.links(self._kernel):
            plain = _translate(link)
            if plain.could_be_underlay or link.name == self._named:
                plain = self._whole(link)
            found.append(plain)
        self._pump.feed(Observed(tuple(found)))

    def _mtu(self, link: route.Link) -> int:
        """What IPv6 may use of the link's MTU: the kernel has it from the advertisement."""
        data = None
        with contextlib.suppress(OSError):
            data = files.read(f"{self._sysctls}/net/ipv6/conf/{link.name}/mtu")
        return min(link.mtu, int(data or link.mtu))

    def _whole(self, link: route.Link) -> Interface:
        try:
            addresses = route.addresses(self._kernel, link.index)
            routes = route.default_routes(self._kernel, link.index)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.ENOENT):  # gone since the links were read
                raise
            return _translate(link)
        return _translate(link, addresses, routes, self._mtu(link))

    def _hear(self, ears: socket.socket) -> None:
        while True:
            try:
                data, ancillary, _, sender = ears.recvmsg(RECEIVE_BYTES, 256)
            except BlockingIOError:
                return
            index, hop_limit = _packet_information(ancillary)
            try:
                advertisement = parse(data, IPv6Address(sender[0].partition("%")[0]), hop_limit)
            except PeerError as error:
                if error.reason not in self._refused:
                    self._log.warning("router advertisement refused", sender=sender[0], reason=error)
                self._refused[error.reason] = self._refused.get(error.reason, 0) + 1
                continue
            self._pump.feed(Received(index, advertisement))

    def _settled(self) -> None:
        if self._machine.view != self._view:
            self._view = self._machine.view
            self._changed(self._view)

    # --- effects

    async def _perform_until_idle(self) -> None:
        while not self._work.empty():
            await self._perform(self._work.get_nowait())

    async def _perform(self, effect: Effect) -> None:
        try:
            match effect:
                case Open(index, _, sysctls):
                    await self._guard(self._machine.view.guarded)
                    self._apply(sysctls)
                    route.set_link(self._kernel, index, up=True)
                    self._trouble("")
                case Close(index, _, sysctls):
                    self._apply(sysctls)
                    route.set_link(self._kernel, index, up=False)
                case Solicit(index):
                    _send_solicitation(index)
                case SetAddress(index, interface):
                    route.add_address(self._kernel, index, interface, detect=True)
                case SetGateway(index, gateway):
                    route.add_route(self._kernel, route.Route(IPv6Network("::/0"), index, gateway))
                case Withdraw(index, interface):
                    route.remove_address(self._kernel, index, interface)
                    on_link = route.Route(interface.network, index, metric=route.ON_LINK_METRIC)
                    route.remove_route(self._kernel, on_link, made_by=route.RTPROT_ANY)
                case Again(index, _, interface):
                    route.remove_address(self._kernel, index, interface)
                    _send_solicitation(index)
                case RemoveGateway(index, gateway):
                    default = route.Route(IPv6Network("::/0"), index, gateway)
                    route.remove_route(self._kernel, default, made_by=route.RTPROT_ANY)
                case Note():
                    self._log.note(effect)
                case _:
                    raise TypeError(f"not an effect of the network: {effect!r}")
        except OSError as error:
            self._log.note(Note(Level.WARNING, "not done", (("effect", repr(effect)), ("error", str(error)))))
            if isinstance(effect, Open):  # it is asked for once only; the others with every change
                self._trouble(f"{effect.name} could not be turned on: {error}")
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._work.put_nowait, effect)

    def _apply(self, sysctls: tuple[tuple[str, str], ...]) -> None:
        for name, value in sysctls:
            self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        try:
            route.sysctl(name, value, self._sysctls)
        except OSError as error:
            self._log.warning("variable not set", name=name, value=value, error=error)


def _translate(
    link: route.Link, addresses: tuple[route.Address, ...] = (), routes: tuple[route.Route, ...] = (), mtu: int = 0
) -> Interface:
    return Interface(
        index=link.index,
        name=link.name,
        ethernet=link.ethernet,
        kind=link.kind,
        up=link.up,
        carrier=link.carrier,
        connections=link.connections,
        mtu=mtu,
        addresses=tuple(Address(item.interface, item.tentative, item.failed, item.dynamic) for item in addresses),
        gateways=tuple(item.gateway for item in routes if item.gateway is not None),
    )


def _listener() -> socket.socket:
    """Receives router advertisements and nothing else, with interface and hop limit."""
    ears = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, solicit.ICMPV6)
    blocked = bytearray(b"\xff" * 32)
    blocked[ROUTER_ADVERTISEMENT // 8] &= ~(1 << ROUTER_ADVERTISEMENT % 8) & 0xFF
    # The filter is an array of 32-bit words in the machine's order; on little-endian ones that is the order of bytes.
    words = struct.pack("=8I", *struct.unpack("<8I", blocked))
    ears.setsockopt(solicit.ICMPV6, ICMP6_FILTER, words)
    ears.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    ears.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    return ears


def _packet_information(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    index = hop_limit = 0
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            index = struct.unpack("=16xI", data)[0]
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            hop_limit = struct.unpack("=i", data)[0]
    return index, hop_limit


def _send_solicitation(index: int) -> None:
    """By a packet socket: the IPv6 socket refuses to send while the only address is tentative."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0) as sender:
        name = socket.if_indextoname(index)
        sender.sendto(solicit.packet(), (name, ETH_P_IPV6, 0, 0, solicit.hardware_address()))


@contextlib.contextmanager
def _readable(item: socket.socket, call: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_reader(item, call)
    try:
        yield
    finally:
        loop.remove_reader(item)
