"""Connections between nodes: how long an exchange of two messages takes, and how it fails.

A connection is opened by a handshake that is repeated after 1, 2, 4 … seconds (RFC 6298); a message then needs as many
round trips as a congestion window that begins with ten packets and doubles (RFC 6928), and one more, or 200 ms, each
time that some of its packets have to be sent again. A machine without the process refuses; a paused process has its
connections taken by the kernel and answers when it goes on. Whether the way is cut is seen when a message sets out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hepto.gossip.messages import Address, ErrorMessage
from hepto.gossip.model import Accepted, Answer, Answered, Call, CallFailed, Failure, Rejected
from hepto.gossip.reasons import GossipError
from hepto.machine import Event
from hepto.sim.clock import Clock
from hepto.sim.network import Network
from hepto.sim.node import Node, Parcel, Software

HANDSHAKE_SECONDS = 1.0
REPEAT_SECONDS = 0.2
SEGMENT_BYTES = 1220
"""What is left of IPv6's 1,280 bytes."""
FIRST_WINDOW = 10


@dataclass(slots=True, eq=False)
class _Exchange:
    """A call of ours until it is answered or has failed."""

    caller: Node
    life: int
    call: Call
    is_connected: bool = False
    is_over: bool = False


class Streams:
    """All connections. `feed` hands an event to a node's process."""

    def __init__(
        self,
        clock: Clock,
        network: Network,
        hosts: Mapping[Address, Node],
        feed: Callable[[Node, Event], None],
        software: Software,
    ):
        self._clock = clock
        self._network = network
        self._hosts = hosts
        self._feed = feed
        self._software = software
        self._owed: dict[int, _Exchange] = {}
        self._last = 0

    def call(self, caller: Node, call: Call) -> None:
        """Begin; one event comes back, at the deadline at the latest."""
        exchange = _Exchange(caller, caller.life, call)
        self._clock.at(call.deadline, self._expire, exchange)
        self._connect(exchange, HANDSHAKE_SECONDS)

    def answer(self, host: Node, answer: Answer) -> None:
        """What a process says to somebody who has called it."""
        exchange = self._owed.pop(answer.stream, None)
        if exchange is None or exchange.is_over:
            return
        if answer.message is None:
            delay = self._network.flight(host.index, exchange.caller.index)
            self._clock.at(self._clock.now + delay, self._fail, exchange, Failure.REJECTED, "closed without an answer")
            return
        parcel = self._software.pack(host, answer.message, True)
        host.stream_bytes += parcel.size
        self._carry(exchange, host, exchange.caller, parcel, self._finish)

    def _connect(self, exchange: _Exchange, wait: float) -> None:
        if exchange.is_over:
            return
        caller, now = exchange.caller, self._clock.now
        host = self._hosts.get(exchange.call.destination)
        if host is None or not host.is_plugged or not self._passes(caller, host) or self._network.retries(2):
            self._clock.at(now + wait, self._connect, exchange, 2 * wait)
            return
        back = now + 2 * self._network.flight(caller.index, host.index)
        if host.is_running:
            self._clock.at(back, self._request, exchange, host)
        else:
            self._clock.at(back, self._fail, exchange, Failure.REFUSED, "")

    def _request(self, exchange: _Exchange, host: Node) -> None:
        exchange.is_connected = True
        parcel = self._software.pack(exchange.caller, exchange.call.message, False)
        exchange.caller.stream_bytes += parcel.size
        self._carry(exchange, exchange.caller, host, parcel, self._accept)

    def _carry(
        self,
        exchange: _Exchange,
        sender: Node,
        receiver: Node,
        parcel: Parcel,
        arrive: Callable[[_Exchange, Node, Node, Parcel], None],
        wait: float = REPEAT_SECONDS,
    ) -> None:
        if exchange.is_over:
            return
        now, network = self._clock.now, self._network
        if not receiver.is_plugged or not self._passes(sender, receiver):
            self._clock.at(now + wait, self._carry, exchange, sender, receiver, parcel, arrive, 2 * wait)
            return
        flight = network.flight(sender.index, receiver.index)
        packets = -(-parcel.size // SEGMENT_BYTES)
        windows = (-(-packets // FIRST_WINDOW)).bit_length()
        repeats = network.retries(packets) * max(REPEAT_SECONDS, 2 * flight)
        delay = flight * (2 * windows - 1) + repeats
        self._clock.at(now + delay, arrive, exchange, sender, receiver, parcel)

    def _accept(self, exchange: _Exchange, caller: Node, host: Node, parcel: Parcel) -> None:
        try:
            message = self._software.unpack(host, parcel)
        except GossipError as error:
            self._feed(host, Rejected(error.reason))
            self._fail(exchange, Failure.REJECTED, error.reason)
            return
        self._last += 1
        self._owed[self._last] = exchange
        self._feed(host, Accepted(self._last, caller.address, message))

    def _finish(self, exchange: _Exchange, _: Node, caller: Node, parcel: Parcel) -> None:
        try:
            message = self._software.unpack(caller, parcel)
        except GossipError as error:
            self._fail(exchange, Failure.REJECTED, error.reason)
            return
        if isinstance(message, ErrorMessage):
            self._fail(exchange, Failure.REJECTED, message.text.decode(errors="replace"))
        else:
            self._end(exchange, Answered(exchange.call.call, message))

    def _expire(self, exchange: _Exchange) -> None:
        self._fail(exchange, Failure.SILENT if exchange.is_connected else Failure.UNREACHABLE, "")

    def _fail(self, exchange: _Exchange, failure: Failure, detail: str) -> None:
        self._end(exchange, CallFailed(exchange.call.call, failure, detail))

    def _end(self, exchange: _Exchange, event: Answered | CallFailed) -> None:
        if not exchange.is_over and exchange.caller.life == exchange.life:
            self._feed(exchange.caller, event)
        exchange.is_over = True

    def _passes(self, one: Node, other: Node) -> bool:
        """Both directions are open: without acknowledgements nothing goes on."""
        network = self._network
        return not (network.is_cut(one.index, other.index) or network.is_cut(other.index, one.index))
