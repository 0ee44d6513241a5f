"""Gossip's hands: a UDP socket, a TCP listener, calls to others, names, and the pump that drives the core.

Promises: who is not authenticated gets no byte back (Go's memberlist answers with an error), holds no more memory than
admission.py allows, and no connection for more than 10 seconds; no look-up of a name delays anything, least of all the
end. Nothing about the protocol is decided here.
"""

import asyncio
import contextlib
import itertools
import os
import random
import socket
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Final

from hepto.edge import names
from hepto.edge.datagrams import Datagrams, packed, text
from hepto.edge.pump import Pump, now
from hepto.gossip import limits, stream
from hepto.gossip.admission import STREAM_SECONDS, Admission, Ticket
from hepto.gossip.anchors import parse_anchor
from hepto.gossip.application import Application
from hepto.gossip.core import Gossip
from hepto.gossip.keyring import Keyring
from hepto.gossip.messages import Address, StreamMessage
from hepto.gossip.model import (
    Accepted,
    Answer,
    Answered,
    Call,
    CallFailed,
    Datagram,
    Departed,
    Failure,
    Leave,
    Refused,
    Rejected,
    Resolve,
    Resolved,
    Send,
    Started,
)
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.reasons import GossipError
from hepto.gossip.settings import Settings
from hepto.log import Log
from hepto.machine import Effect, Event, Note
from hepto.values import Secret

ANYWHERE: Final = bytes(16)
"""`::`, all addresses of this host."""
READ_BYTES: Final = 1 << 16
BACKLOG: Final = 128
RESOLVE_SECONDS: Final = 30.0
"""glibc asks each of three resolvers twice for 5 s; the next try of the anchor asks again."""


@dataclass(frozen=True)
class Wire:
    """What the members of a cluster have in common."""

    label: bytes = b""
    keys: tuple[Secret, ...] = ()
    """The first encrypts; without any nothing is encrypted."""

    def envelope(self) -> PacketEnvelope:
        """For one member."""
        return PacketEnvelope(self.label, keyring(self.keys) if self.keys else None, random_bytes=os.urandom)


def keyring(keys: Iterable[Secret]) -> Keyring:
    """The first is the primary one. Raises ValueError if there is none."""
    return Keyring(tuple(key.reveal() for key in keys))


class GossipDriver:
    """One member, listening on `bind` (16 bytes of address) at the port of its own address.

    `heard` is called with every effect that is not I/O: changes, messages, what is to be remembered.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        application: Application,
        heard: Callable[[Effect], None],
        bind: bytes = ANYWHERE,
    ):
        self._listen = Address(bind, settings.address.port)
        self._anchor_port = settings.port
        self._heard = heard
        self._log = Log("gossip")
        self._envelope = wire.envelope()
        self.core = Gossip(settings, self._envelope, application, random.SystemRandom())
        self._pump: Pump[Event, Effect] = Pump(self.core, self._perform)
        self._admission = Admission(self._is_member)
        self._inbound: dict[int, _Inbound] = {}
        self._numbers = itertools.count(1)
        self._calls: set[asyncio.Task[None]] = set()
        self._departed = asyncio.Event()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Be a member until cancelled; `started` is called when others can reach us. OSError: the port is taken."""
        async with contextlib.AsyncExitStack() as stack:
            self._datagrams = Datagrams(*self._listen, self._receive, self._hear_refusal)
            stack.callback(self._datagrams.close)
            server = await asyncio.get_running_loop().create_server(
                self._accept, text(self._listen.ip), self._listen.port, family=socket.AF_INET6, backlog=BACKLOG
            )
            stack.push_async_callback(self._close, server)
            self._pump.feed(Started())
            started()
            await asyncio.get_running_loop().create_future()

    async def _close(self, server: asyncio.Server) -> None:
        self._pump.close()
        server.close()
        for inbound in tuple(self._inbound.values()):
            inbound.drop()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def feed(self, event: Event) -> None:
        """News or an order for the core."""
        self._pump.feed(event)

    async def leave(self, seconds: float) -> bool:
        """Say farewell; True if it has been passed on within so many seconds."""
        self._pump.feed(Leave())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._departed.wait()
        return self._departed.is_set()

    def set_keys(self, keys: Iterable[Secret]) -> None:
        """From now on these decrypt, and the first encrypts."""
        self._envelope.keyring = keyring(keys)

    # --- what comes in

    def _receive(self, data: bytes, ip: bytes, port: int) -> None:
        self._pump.feed(Datagram(data, Address(ip, port)))

    def _hear_refusal(self, ip: bytes, port: int) -> None:
        self._pump.feed(Refused(Address(ip, port)))

    def _accept(self) -> "_Inbound":
        return _Inbound(next(self._numbers), self._inbound, self._admission, self._envelope, self._pump.feed)

    def _is_member(self, ip: bytes) -> bool:
        return any(claim.address.ip == ip for claim in self.core.members())

    # --- what goes out

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send(destination, data):
                self._datagrams.send(*destination, data)
            case Answer(number, message):
                if number in self._inbound:
                    self._inbound[number].answer(message)
            case Call():
                self._begin(self._call(effect))
            case Resolve(anchor):
                self._begin(self._resolve(anchor))
            case Note():
                self._log.note(effect)
            case Departed():
                self._departed.set()
            case _:
                self._heard(effect)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, call: Call) -> None:
        event: Event
        try:
            event = Answered(call.call, await _converse(call, self._envelope))
        except _CallError as error:
            event = CallFailed(call.call, error.failure, str(error))
        self._pump.feed(event)

    async def _resolve(self, anchor: str) -> None:
        host, port = parse_anchor(anchor, self._anchor_port)
        found = await names.addresses(host, RESOLVE_SECONDS)
        self._pump.feed(Resolved(anchor, tuple(Address(ip.packed, port) for ip in found)))


class _Inbound(asyncio.Protocol):
    """A connection that somebody has opened: one message comes, at most one goes back. It is in `streams` meanwhile."""

    def __init__(
        self,
        number: int,
        streams: "dict[int, _Inbound]",
        admission: Admission,
        envelope: PacketEnvelope,
        feed: Callable[[Event], None],
    ):
        self._number = number
        self._streams = streams
        self._admission = admission
        self._envelope = envelope
        self._feed = feed
        self._ticket: Ticket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port, *_ = transport.get_extra_info("peername")
        self._source = Address(packed(host), port)
        self._timer = asyncio.get_running_loop().call_later(STREAM_SECONDS, self.drop)
        try:
            self._ticket = self._admission.open(self._source.ip)
        except GossipError as error:
            self._refuse(error)
            return
        self._reader = stream.StreamReader(self._envelope, self._ticket.limit, initiator=False)
        self._streams[self._number] = self

    def data_received(self, data: bytes) -> None:
        if self._ticket is None or self._transport.is_closing():
            return
        try:
            self._ticket.take(len(data))
            message = self._reader.feed(data)
        except GossipError as error:
            self._refuse(error)
            return
        if message is not None:
            self._ticket.authenticated()
            self._feed(Accepted(self._number, self._source, message))

    def eof_received(self) -> bool:
        """True: who has said all may still be owed an answer."""
        if self._ticket is not None:
            try:
                self._reader.eof()
            except GossipError as error:
                self._refuse(error)
        return True

    def connection_lost(self, _: Exception | None) -> None:
        self._timer.cancel()
        self._streams.pop(self._number, None)
        if self._ticket is not None:
            self._ticket.close()

    def answer(self, message: StreamMessage | None) -> None:
        """Send it, if there is one, and close."""
        if message is not None:
            self._transport.write(stream.encode(message, self._envelope, initiator=False))
        self._transport.close()

    def drop(self) -> None:
        """Close without a word."""
        self._transport.abort()

    def _refuse(self, error: GossipError) -> None:
        self.drop()
        self._feed(Rejected(error.reason))


class _CallError(Exception):
    """A call of ours had no answer."""

    def __init__(self, failure: Failure, detail: str):
        super().__init__(detail)
        self.failure = failure


async def _converse(call: Call, envelope: PacketEnvelope) -> StreamMessage:
    """Connect, say it, and hear the answer. Raises _CallError."""
    in_time = Failure.UNREACHABLE
    try:
        async with asyncio.timeout(call.deadline - now()):
            reader, writer = await asyncio.open_connection(text(call.destination.ip), call.destination.port)
            in_time = Failure.SILENT
            try:
                writer.write(stream.encode(call.message, envelope, initiator=True))
                return await _answer(reader, envelope)
            finally:
                writer.transport.abort()  # who does not read must not keep what is not sent yet
    except TimeoutError:
        raise _CallError(in_time, "") from None
    except ConnectionRefusedError as error:
        raise _CallError(Failure.REFUSED, str(error)) from None
    except GossipError as error:
        raise _CallError(Failure.REJECTED, str(error)) from None
    except OSError as error:  # once connected, a reset: a refusal to speak with us
        raise _CallError(Failure.REJECTED if in_time is Failure.SILENT else in_time, str(error)) from None


async def _answer(reader: asyncio.StreamReader, envelope: PacketEnvelope) -> StreamMessage:
    incoming = stream.StreamReader(envelope, limits.STREAM_OWN, initiator=True)
    while data := await reader.read(READ_BYTES):
        if (message := incoming.feed(data)) is not None:
            return message
    incoming.eof()
    raise AssertionError("a stream that ends without a message is refused")
