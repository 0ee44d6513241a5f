"""What a caller takes from a server that does not behave, and which server it accepts."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hepto.api import exchange
from hepto.api.exchange import Caller, CallError, Failure
from hepto.edge.http_server import key_hash
from hepto.edge.streams import PlainStream, TlsStream, connect, listen
from tests.api.example import CLUSTER, LOOPBACK, NOW
from tests.pki.example import MASTER, WORKER, authority, pair


def context(directory: Path, pem: bytes = pair("node-api", CLUSTER, MASTER, NOW).pem()) -> ssl.SSLContext:
    (directory / "server.pem").write_bytes(pem)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(directory / "server.pem")
    return found


@contextlib.asynccontextmanager
async def asked(server: ssl.SSLContext, client: ssl.SSLContext, answer: bytes = b"") -> AsyncIterator[TlsStream]:
    """A stream to a server that says this to whatever it hears first."""
    with listen(0, "::1") as listener:

        async def serve() -> None:
            line, _ = await asyncio.get_running_loop().sock_accept(listener)
            with line, contextlib.suppress(OSError):
                stream = TlsStream(PlainStream(line), server, server_side=True)
                await stream.handshake()
                await stream.read()
                await stream.write(answer)
                stream.close()

        task = asyncio.create_task(serve())
        stream = TlsStream(await connect(LOOPBACK, listener.getsockname()[1]), client)
        try:
            yield stream
        finally:
            stream.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def post(directory: Path, answer: bytes) -> tuple[int, bytes]:
    async with asked(context(directory), exchange.anyone(), answer) as stream:
        await stream.handshake()
        return await Caller(stream).post("/v1/hello", b"hello")


def test_an_answer_is_status_and_body(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 202 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"

    assert asyncio.run(post(tmp_path, answer)) == (202, b"abc")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"HTTP/1.1 200 \r\nContent-Length: 10\r\n\r\nabc", Failure.CLOSED),
        (b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Failure.CLOSED),
        (b"SSH-2.0-OpenSSH\x1b[2J\r\n\r\n", Failure.NOT_HEPTO),
        (b"HTTP/1.1 200 \r\nX: " + b"a" * 100_000, Failure.NOT_HEPTO),
        (b"HTTP/1.1 200 \r\nContent-Length: 5000000\r\n\r\n" + bytes(5_000_000), Failure.BAD_ANSWER),
    ],
    ids=["nothing", "cut short", "cut short in a chunk", "not HTTP", "endless head", "too large"],
)
def test_what_a_server_may_not_do_has_a_name(tmp_path: Path, answer: bytes, failure: Failure) -> None:
    with pytest.raises(CallError) as caught:
        asyncio.run(post(tmp_path, answer))

    assert caught.value.failure is failure
    assert str(caught.value).isprintable()


async def shake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[str, ...]:
    async with asked(server, client) as stream:
        await stream.handshake()
        assert exchange.server_key(stream) == key_hash(exchange.certificate_of(stream))
        return exchange.uris(exchange.certificate_of(stream))


def test_a_server_of_the_cluster_says_its_name(tmp_path: Path) -> None:
    ca = exchange.cluster(CLUSTER.certificate)

    assert asyncio.run(shake(context(tmp_path), ca)) == ("hepto:master:mymaster",)
    worker = pair("node-api", CLUSTER, WORKER, NOW).pem()
    assert asyncio.run(shake(context(tmp_path, worker), ca)) == ("hepto:node:node1",)


@pytest.mark.parametrize("profile", ["kubelet-client", "admin"])
def test_a_client_s_certificate_is_no_server_s(tmp_path: Path, profile: str) -> None:
    pem = pair(profile, CLUSTER, MASTER, NOW).pem()

    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        asyncio.run(shake(context(tmp_path, pem), exchange.cluster(CLUSTER.certificate)))


@pytest.mark.parametrize("age", [timedelta(days=400), timedelta(days=-400)], ids=["past", "future"])
def test_who_does_not_know_the_time_accepts_any_but_no_other_ca(tmp_path: Path, age: timedelta) -> None:
    then = NOW - age
    issuer = authority(now=then)
    server = context(tmp_path, pair("node-api", issuer, MASTER, then).pem())

    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(shake(server, exchange.cluster(issuer.certificate)))
    assert asyncio.run(shake(server, exchange.cluster(issuer.certificate, clock=False))) == ("hepto:master:mymaster",)
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(shake(server, exchange.cluster(CLUSTER.certificate, clock=False)))


def test_a_certificate_without_uris_has_none() -> None:
    assert exchange.uris(pair("admin", CLUSTER, MASTER, NOW).certificate) == ()
