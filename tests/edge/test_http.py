"""The HTTPS client against real servers on the loopback device: answers, limits and named reasons."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto.edge import http
from hepto.edge.http import Connection, HttpError, HttpReason, Response
from hepto.pki import store
from tests.pki.example import authority, pair

NOW = datetime.now(UTC)
ISSUER = authority(now=NOW)
HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + bytes(9_000_000)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_bytes(store.certificate_pem(ISSUER.certificate))
    (tmp_path / "other.crt").write_bytes(store.certificate_pem(authority(now=NOW).certificate))
    # The one profile that serves on ::1 and is a client as well.
    (tmp_path / "server.pem").write_bytes(pair("scheduler", ISSUER, now=NOW).pem())
    return tmp_path


@asynccontextmanager
async def serving(handler: Handler, files: Path | None = None) -> AsyncIterator[str]:
    tls = None
    if files is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files / "server.pem")
        tls.load_verify_locations(files / "ca.crt")
        tls.verify_mode = ssl.CERT_OPTIONAL
    server = await asyncio.start_server(handler, "::1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://[::1]:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def answering(answer: bytes, seen: list[bytes] | None = None) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if seen is not None:
                    seen.append(head)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return handler


async def fetch(handler: Handler, limit: float = 5.0) -> Response:
    async with serving(handler) as url:
        return await http.get(f"{url}/path?query", None, limit=limit)


def test_an_answer_is_status_headers_and_body() -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\nX-Kind: pot\r\n\r\nhello"

    response = asyncio.run(fetch(answering(answer, seen)))

    assert response == Response(418, {"content-length": "5", "x-kind": "pot"}, b"hello")
    assert seen[0].startswith(b"GET /path?query HTTP/1.1\r\nHost: [::1]:")


def test_chunks_are_put_together() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    assert asyncio.run(fetch(answering(answer))).body == b"abcde"


def test_one_connection_serves_many_requests() -> None:
    async def twice() -> list[int]:
        async with serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as url, Connection(url, None) as connection:
            return [(await connection.request("PATCH", "/", {"A": "b"})).status for _ in range(3)]

    assert asyncio.run(twice()) == [204, 204, 204]


def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Awaitable[None]:
    async def hold() -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    return hold()


@pytest.mark.parametrize(
    ("handler", "limit", "reason"),
    [
        (answering(b"SSH-2.0-OpenSSH\r\n\r\n"), 5.0, HttpReason.PROTOCOL),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"), 5.0, HttpReason.PROTOCOL),
        (answering(HUGE), 5.0, HttpReason.TOO_LARGE),
        (never, 0.05, HttpReason.TIMEOUT),
    ],
    ids=["not HTTP", "endless head", "huge body", "silence"],
)
def test_what_a_server_may_not_do_has_a_name(handler: Handler, limit: float, reason: HttpReason) -> None:
    with pytest.raises(HttpError) as caught:
        asyncio.run(fetch(handler, limit))

    assert caught.value.reason is reason


def test_an_answer_cut_short_is_no_answer() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        writer.close()

    with pytest.raises(HttpError) as caught:
        asyncio.run(fetch(half))

    assert caught.value.reason in (HttpReason.PROTOCOL, HttpReason.CLOSED)


def test_nobody_listening_is_refused() -> None:
    async def closed() -> None:
        async with serving(never) as url:
            pass
        await http.get(url, None)

    with pytest.raises(HttpError) as caught:
        asyncio.run(closed())

    assert caught.value.reason is HttpReason.REFUSED


def test_the_server_is_verified(files: Path) -> None:
    async def ask(authority_file: str) -> int:
        async with serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n"), files) as url:
            return (await http.get(url, http.client_context(str(files / authority_file)))).status

    assert asyncio.run(ask("ca.crt")) == 204
    with pytest.raises(HttpError) as caught:
        asyncio.run(ask("other.crt"))
    assert caught.value.reason is HttpReason.CERTIFICATE


def test_another_name_is_refused(files: Path) -> None:
    async def ask() -> None:
        async with serving(never, files) as url:
            context = http.client_context(str(files / "ca.crt"))
            async with Connection(url, context, server_name="kubernetes.default.svc"):
                pass

    with pytest.raises(HttpError) as caught:
        asyncio.run(ask())

    assert caught.value.reason is HttpReason.CERTIFICATE


@pytest.mark.parametrize("memory", [False, True], ids=["file", "memory"])
def test_we_are_who_the_pair_says(files: Path, memory: bool) -> None:
    peers: list[object] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(dict(field[0] for field in writer.get_extra_info("peercert")["subject"])["commonName"])
        await answering(b"HTTP/1.1 204 No Content\r\n\r\n")(reader, writer)

    pem = pair("admin", ISSUER, now=NOW).pem()
    (files / "admin.pem").write_bytes(pem)
    context = (
        http.client_context(str(files / "ca.crt"), pem=pem)
        if memory
        else http.client_context(str(files / "ca.crt"), str(files / "admin.pem"))
    )

    async def ask() -> None:
        async with serving(handler, files) as url:
            await http.get(url, context)

    asyncio.run(ask())

    assert peers == ["hepto:admin:mymaster"]


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        http.client_context(str(tmp_path / "ca.crt"))


class Counting:
    """A server that counts connections and closes each after `last` answers."""

    def __init__(self, last: int):
        self.connections: list[str] = []
        self.last = last

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peercert")
        self.connections.append(dict(field[0] for field in peer["subject"])["commonName"] if peer else "")
        try:
            for _ in range(self.last):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.mark.parametrize(("last", "connections"), [(100, 1), (2, 3)], ids=["kept", "closed by the server"])
def test_a_client_keeps_its_connection_as_long_as_the_server_does(last: int, connections: int) -> None:
    server = Counting(last)

    async def ask() -> list[int]:
        async with serving(server.handle) as url:
            client = http.Client(url)
            statuses = [(await client.get("/")).status for _ in range(5)]
            await client.close()
            return statuses

    assert asyncio.run(ask()) == [204] * 5
    assert len(server.connections) == connections


def test_a_client_shows_a_renewed_certificate(files: Path) -> None:
    server = Counting(100)

    async def ask() -> None:
        async with serving(server.handle, files) as url:
            client = http.Client(url, str(files / "ca.crt"), str(files / "us.pem"))
            for profile in ("admin", "admin", "scheduler"):
                if profile not in "".join(server.connections):
                    (files / "new.pem").write_bytes(pair(profile, ISSUER, now=NOW).pem())
                    (files / "new.pem").rename(files / "us.pem")
                await client.get("/")
            await client.close()

    asyncio.run(ask())

    assert server.connections == ["hepto:admin:mymaster", "system:kube-scheduler"]


def test_a_client_of_a_server_that_went_away_says_so() -> None:
    server = Counting(1)

    async def ask() -> None:
        async with serving(server.handle) as url:
            client = http.Client(url)
            await client.get("/")
        await client.get("/")

    with pytest.raises(HttpError) as caught:
        asyncio.run(ask())

    assert caught.value.reason is HttpReason.REFUSED
