"""An HTTPS server on the loopback device, and those who speak to it, for the tests of hepto/edge/http_server.py."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address
from pathlib import Path

from hepto.edge.http_server import Certificate, Handler, HttpServer, Request, Response, Ticket
from hepto.edge.streams import PlainStream, TlsStream, connect, listen
from hepto.errors import PeerError
from hepto.gossip.admission import Admission, Bounds
from init.contract import durable
from tests.pki.example import authority, pair

NOW = datetime.now(UTC)
ISSUER = authority(now=NOW)
LOOPBACK = IPv6Address("::1")
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
SECONDS = 5.0


async def echo(request: Request) -> Response:
    if request.path == "/refuse":
        raise PeerError("refused-by-handler")
    if request.path == "/bug":
        raise OSError("the disk is full")
    return Response(404 if request.path == "/nowhere" else 200, request.method.encode() + b" " + request.body)


@dataclass
class Site:
    """A server, and what it has refused."""

    port: int
    task: "asyncio.Task[None]"
    first_refusal: "asyncio.Future[str]"
    refused: list[str] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)

    async def plain(self) -> PlainStream:
        return await connect(LOOPBACK, self.port)

    async def tls(self) -> TlsStream:
        stream = TlsStream(await self.plain(), anyone())
        await stream.handshake()
        return stream

    async def ask(self, data: bytes) -> bytes:
        """All that comes back for this."""
        stream = await self.tls()
        with contextlib.closing(stream):
            await stream.write(data)
            return await rest(stream)


def anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def rest(stream: TlsStream | PlainStream) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := await stream.read():
            answer += piece
    return answer


@contextlib.asynccontextmanager
async def site(
    directory: Path,
    handler: Handler = echo,
    bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
    *,
    seconds: float = SECONDS,
    plain: Callable[[PlainStream, Ticket], Awaitable[bool]] | None = None,
) -> AsyncIterator[Site]:
    pem = directory / "server.pem"
    if not pem.exists():
        durable.write(str(pem), pair("node-api", ISSUER, now=NOW).pem())
    refused: list[str] = []
    seen: list[Request] = []

    first: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def refuse(reason: str, _: IPv6Address) -> None:
        refused.append(reason)
        if not first.done():
            first.set_result(reason)

    async def handle(request: Request) -> Response:
        seen.append(request)
        return await handler(request)

    server = HttpServer(
        Certificate(str(pem)).current,
        handle,
        Admission(lambda _: False, bounds),
        refused=refuse,
        plain=plain,
        seconds=seconds,
    )
    listener = listen(0, "::1")
    task: asyncio.Task[None] = asyncio.create_task(server.serve(listener))
    try:
        yield Site(listener.getsockname()[1], task, first, refused, seen)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await story()

    asyncio.run(limited())
