"""A connected socket under asyncio, in clear or with TLS 1.3 over it, for both sides.

asyncio's own streams cannot serve here: they fix the certificate when the listener is made, lose what came before the
handshake, and keep 256 KiB for each connection before anybody has proved anything. Promises: nothing is read that
nobody waits for, so a peer fills the kernel's buffers and not ours; `took` hears of every byte before it is kept. After
an exception a stream is of no more use but to be closed.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

CHUNK: Final = 16 * 1024
"""Bytes at once: the most that a TLS record holds."""


def _nothing(_: int) -> None:
    pass


class PlainStream:
    """Bytes as they are on the wire."""

    def __init__(self, line: socket.socket, took: Callable[[int], None] = _nothing):
        """`line` is connected and does not block. `took` may raise: then what has come is thrown away."""
        self._line = line
        self._took = took
        self._unread = b""
        self._sending = asyncio.Lock()

    async def read(self, most: int = CHUNK) -> bytes:
        """At least one byte and at most so many; b"" when the peer has said all. Raises OSError."""
        if self._unread:
            data, self._unread = self._unread[:most], self._unread[most:]
            return data
        data = await asyncio.get_running_loop().sock_recv(self._line, most)
        self._took(len(data))
        return data

    def unread(self, data: bytes) -> None:
        """The next `read` gives this first."""
        self._unread = data + self._unread

    async def write(self, data: bytes) -> None:
        """Until the kernel has all of it. Raises OSError."""
        async with self._sending:
            await asyncio.get_running_loop().sock_sendall(self._line, data)

    def end(self) -> None:
        """Nothing more will be written; reading goes on."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    def say(self, data: bytes) -> None:
        """Write what the kernel takes at once, on the way to `close`."""
        with contextlib.suppress(OSError):
            self._line.send(data)

    def close(self) -> None:
        """At once. May be called again."""
        self._line.close()


class TlsStream:
    """The same with TLS over it. `handshake` comes first."""

    def __init__(
        self, plain: PlainStream, context: ssl.SSLContext, *, server_side: bool = False, server_name: str | None = None
    ):
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_name)

    @property
    def certificate(self) -> bytes:
        """The peer's, in DER; b"" if it showed none."""
        return self._tls.getpeercert(True) or b""

    async def handshake(self) -> None:
        """Raises OSError (ssl.SSLError is one). No alert is sent: who is not understood is not answered."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._receive():
                    raise ConnectionResetError("closed during the TLS handshake") from None
            else:
                await self._flush()
                return

    async def read(self, most: int = CHUNK) -> bytes:
        """As PlainStream.read. A connection cut off reads like one that was closed: the message's framing tells."""
        while True:
            try:
                return self._tls.read(most)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._receive():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def write(self, data: bytes) -> None:
        """As PlainStream.write."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:CHUNK]) :]
            await self._flush()

    def close(self) -> None:
        """Say that this is the end, as far as that goes at once, and close."""
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()
        self._plain.say(self._outgoing.read())
        self._plain.close()

    async def _receive(self) -> bool:
        data = await self._plain.read()
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._plain.write(self._outgoing.read())


Stream = PlainStream | TlsStream


def listen(port: int, host: str = "::") -> socket.socket:
    """A listener for TCP on IPv6 only. Raises OSError, so if the port is taken."""
    line = socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # whoever is accepted has it too (tcp(7))
        line.bind((host, port))
        line.listen(128)
    except BaseException:
        line.close()
        raise
    return line


async def connect(address: IPv6Address, port: int) -> PlainStream:
    """A connection to there. Raises OSError; whoever calls limits the time. A link-local address keeps its zone."""
    line = socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        scope = socket.if_nametoindex(address.scope_id) if address.scope_id else 0
        host = str(IPv6Address(address.packed))
        # The end of a handshake and the request behind it are two small writes: Nagle's algorithm would hold the second
        # back until the first is acknowledged, which the other side puts off for 40 ms.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(line, (host, port, 0, scope))
    except BaseException:
        line.close()
        raise
    return PlainStream(line)


def peer(line: socket.socket) -> IPv6Address:
    """The address at the other end, without a zone. Raises OSError when it has gone already."""
    return IPv6Address(line.getpeername()[0].partition("%")[0])
