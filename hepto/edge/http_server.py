"""An HTTPS server on IPv6: h11 over TLS 1.3 for peers who have proved nothing yet (trust.md section 7).

Promises: head, body, time and connections are bounded by named caps and counted for each network that asks (who
counts is handed in: `Admission`); whoever breaks a rule is closed without an answer, under a named reason; a peer can
never end the server, and an exception of the handler that is not a PeerError always does. The certificate is that of
the file when the connection began, so a renewed one needs no restart.
"""

import asyncio
import contextlib
import errno
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, NoReturn, Protocol

import h11
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hepto.edge.streams import PlainStream, TlsStream, peer
from hepto.errors import PeerError

MAX_HEAD: Final = 8 * 1024
"""Bytes of request line and headers."""
SECONDS: Final = 10.0
"""For the handshake and a request, again for taking an answer, and for asking again."""
STREAM_SECONDS: Final = 300.0
"""Who was let in may take so long for a piece of a long answer: a pager that waits for its reader."""
_TLS_HANDSHAKE: Final = b"\x16"
"""The first byte of every TLS connection (RFC 8446 section 5.1)."""
_NO_LISTENER: Final = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)
"""Of accept: another call will not go better. What else it says is a peer's fault or passes (accept(2))."""
_PAUSE_SECONDS: Final = 0.2


class Refusal(StrEnum):
    """Why a connection was closed without an answer."""

    TOO_SLOW = "too-slow"
    NOT_TLS = "not-tls"
    NOT_HTTP = "not-http"
    TOO_LARGE = "request-too-large"
    CUT_SHORT = "cut-short"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in small letters; of two with one name the last."""
    body: bytes = field(repr=False)
    peer: IPv6Address
    server_key: bytes
    """SHA-256 of the SubjectPublicKeyInfo that the server has shown on this connection."""


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    """An iterator is sent piece by piece, and closed when the peer goes away."""
    content_type: str = "application/msgpack"


class Ticket(Protocol):
    """One connection's part of what all may hold."""

    limit: int
    """Bytes of one request, everything around it included."""

    def take(self, count: int) -> None:
        """So many bytes have come. Raises PeerError when they are too many."""

    def authenticated(self) -> None:
        """What has come is no longer held."""

    def close(self) -> None:
        """The connection is gone."""


class Admission(Protocol):
    """Who may hold how much of our memory."""

    def open(self, ip: bytes) -> Ticket:
        """For a connection from these 16 bytes of address. Raises PeerError when there are too many."""


Handler = Callable[[Request], Awaitable[Response]]
"""A PeerError closes the connection without an answer; a status of 400 and above closes it after the answer."""
Plain = Callable[[PlainStream, Ticket], Awaitable[bool]]
"""For connections that do not begin with TLS. True: TLS comes now; False: it is done with it."""


@dataclass(frozen=True)
class Generation:
    """A certificate in use."""

    context: ssl.SSLContext
    server_key: bytes


class Certificate:
    """The certificate of a file that is replaced now and then: certificate and key in one PEM file."""

    def __init__(self, path: str):
        self._path = Path(path)
        self._stamp: tuple[int, int] | None = None
        self._generation: Generation | None = None

    def current(self) -> Generation:
        """Read the file again if another has taken its place; the one in use stays if that is none.

        Raises OSError or ValueError when there has never been a good one.
        """
        try:
            while (stamp := self._look()) != self._stamp:
                self._generation = _generation(self._path)
                self._stamp = stamp
        except (OSError, ValueError):
            if self._generation is None:
                raise
        assert self._generation is not None, "read above"
        return self._generation

    def _look(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_ino, status.st_mtime_ns


def _generation(path: Path) -> Generation:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # a resumed session would be bound to a certificate that may be gone
    context.load_cert_chain(path)
    return Generation(context, key_hash(x509.load_pem_x509_certificate(path.read_bytes())))


def key_hash(certificate: x509.Certificate) -> bytes:
    """SHA-256 of its SubjectPublicKeyInfo in DER."""
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).digest()


class HttpServer:
    """Serves one listener."""

    def __init__(
        self,
        certificate: Callable[[], Generation],
        handler: Handler,
        admission: Admission,
        *,
        refused: Callable[[str, IPv6Address], None] = lambda _reason, _peer: None,
        plain: Plain | None = None,
        seconds: float = SECONDS,
    ):
        """`refused` hears the reason of each connection that was closed without an answer."""
        self._certificate = certificate
        self._handler = handler
        self._admission = admission
        self._refused = refused
        self._plain = plain
        self._seconds = seconds

    async def serve(self, listener: socket.socket) -> NoReturn:
        """Until cancelled; closes the listener. A defect of the handler ends it with an ExceptionGroup.

        Raises OSError or ValueError when there is no certificate.
        """
        loop = asyncio.get_running_loop()
        with contextlib.closing(listener):
            self._certificate()
            async with asyncio.TaskGroup() as connections:
                while True:
                    try:
                        line, _ = await loop.sock_accept(listener)
                    except OSError as error:
                        if error.errno in _NO_LISTENER:
                            raise
                        await asyncio.sleep(_PAUSE_SECONDS)
                        continue
                    connections.create_task(self._connection(line))

    async def _connection(self, line: socket.socket) -> None:
        with contextlib.closing(line):
            try:
                source = peer(line)
            except OSError:
                return  # gone before we came to it
            try:
                ticket = self._admission.open(source.packed)
            except PeerError as error:
                self._refused(error.reason, source)
                return
            with contextlib.closing(ticket):
                try:
                    await self._begin(PlainStream(line, ticket.take), source, ticket)
                except PeerError as error:
                    self._refused(error.reason, source)

    async def _begin(self, plain: PlainStream, source: IPv6Address, ticket: Ticket) -> None:
        deadline = asyncio.get_running_loop().time() + self._seconds
        async with peer_faults(deadline):
            first = await plain.read(1)
        if not first:
            return  # only looked whether somebody listens
        plain.unread(first)
        if first != _TLS_HANDSHAKE:
            if self._plain is None:
                raise PeerError(Refusal.NOT_TLS)
            if not await self._plain(plain, ticket):
                return
        generation = self._certificate()
        stream = TlsStream(plain, generation.context, server_side=True)
        async with peer_faults(deadline):
            await stream.handshake()
        conversation = _Conversation(stream, source, generation.server_key, ticket, self._seconds)
        try:
            while (request := await conversation.receive(deadline)) is not None:
                await conversation.answer(await self._handler(request))
                deadline = asyncio.get_running_loop().time() + self._seconds
        except PeerError:
            if not conversation.idle:
                raise
        stream.close()


class _Conversation:
    """Requests and answers on one connection."""

    def __init__(self, stream: TlsStream, source: IPv6Address, server_key: bytes, ticket: Ticket, seconds: float):
        self._stream = stream
        self._source = source
        self._server_key = server_key
        self._ticket = ticket
        self._seconds = seconds
        self._machine = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._answered = False

    @property
    def idle(self) -> bool:
        """Something was answered, and nothing of another request has come: whoever stops here breaks no rule."""
        return self._answered and self._machine.their_state is h11.IDLE and not self._machine.trailing_data[0]

    async def receive(self, deadline: float) -> Request | None:
        """The next request, whole; None when there is no more. Raises PeerError."""
        if self._machine.our_state is h11.MUST_CLOSE or self._machine.their_state is h11.CLOSED:
            return None
        async with peer_faults(deadline):
            head: h11.Request | None = None
            body = bytearray()
            while True:
                match await self._event():
                    case h11.Request() as head:
                        self._check(head)
                    case h11.Data(data=piece):
                        body += piece
                    case h11.EndOfMessage():
                        break
                    case h11.ConnectionClosed():
                        return None
        assert head is not None, "h11 never ends a message before its head"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        method, path = head.method.decode("ascii"), head.target.decode("ascii")
        return Request(method, path, headers, bytes(body), self._source, self._server_key)

    def _check(self, head: h11.Request) -> None:
        """What is announced as too much is not waited for; h11 takes any version that has two digits."""
        if head.http_version not in (b"1.0", b"1.1"):
            raise PeerError(Refusal.NOT_HTTP)
        announced = dict(head.headers).get(b"content-length", b"0")
        if int(announced) > self._ticket.limit:
            raise PeerError(Refusal.TOO_LARGE)

    async def _event(self) -> object:
        while (event := self._machine.next_event()) is h11.NEED_DATA:
            self._machine.receive_data(await self._stream.read())
        assert event is not h11.PAUSED, "answered before the next is asked for"
        return event

    async def answer(self, response: Response) -> None:
        """Send it. Raises PeerError when the peer does not take it."""
        self._ticket.authenticated()
        whole = isinstance(response.body, bytes)
        headers = [("Content-Type", response.content_type), ("Cache-Control", "no-store")]
        headers += [("Content-Length", str(len(response.body)))] if isinstance(response.body, bytes) else []
        headers += [("Connection", "close")] if response.status >= 400 or not whole else []
        data = self._machine.send(h11.Response(status_code=response.status, headers=headers)) or b""
        if isinstance(response.body, bytes):
            data += self._machine.send(h11.Data(data=response.body)) or b""
            data += self._machine.send(h11.EndOfMessage()) or b""
            await self._write(data, self._seconds)
        else:
            await self._write(data, self._seconds)
            await self._pour(response.body)
        if self._machine.our_state is h11.DONE and self._machine.their_state is h11.DONE:
            self._machine.start_next_cycle()
            self._answered = True

    async def _pour(self, pieces: AsyncIterator[bytes]) -> None:
        """A long answer, until it ends or the peer goes away."""
        gone = asyncio.ensure_future(self._until_gone())
        coming: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                coming = asyncio.ensure_future(_next(pieces))
                await asyncio.wait((gone, coming), return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    return
                piece = coming.result()
                if piece is None:
                    break
                await self._write(self._machine.send(h11.Data(data=piece)) or b"", STREAM_SECONDS)
            await self._write(self._machine.send(h11.EndOfMessage()) or b"", self._seconds)
        finally:
            for future in (gone, coming):
                if future is not None:
                    future.cancel()
            await asyncio.gather(*(future for future in (gone, coming) if future is not None), return_exceptions=True)
            if hasattr(pieces, "aclose"):
                await pieces.aclose()

    async def _until_gone(self) -> None:
        """What comes meanwhile is thrown away."""
        with contextlib.suppress(OSError, PeerError):
            while await self._stream.read():
                self._ticket.authenticated()

    async def _write(self, data: bytes, seconds: float) -> None:
        async with peer_faults(asyncio.get_running_loop().time() + seconds):
            await self._stream.write(data)


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


@contextlib.asynccontextmanager
async def peer_faults(deadline: float) -> AsyncIterator[None]:
    """Whatever goes wrong inside is the peer's fault, a PeerError: nothing but talking to it may be done there.

    `deadline` is on the loop's clock.
    """
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        raise PeerError(Refusal.TOO_SLOW) from None
    except ssl.SSLError:
        raise PeerError(Refusal.NOT_TLS) from None
    except h11.RemoteProtocolError:
        raise PeerError(Refusal.NOT_HTTP) from None
    except OSError:
        raise PeerError(Refusal.CUT_SHORT) from None
