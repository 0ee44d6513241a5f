"""What a caller takes from a server that does not behave, and which server it accepts."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hepto.api import exchange
from hepto.api.client import why_closed
from hepto.api.exchange import Caller, CallError, Failure
from hepto.edge.http_server import key_hash
from hepto.edge.streams import PlainStream, TlsStream, connect, listen
from hepto.pki.store import Pair
from tests.api.example import CLUSTER, LOOPBACK, NOW
from tests.pki.example import MASTER, WORKER, authority, key, pair


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
    "answer",
    [
        b"HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.0 200 \r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["that says so", "of HTTP/1.0"],
)
def test_after_an_answer_that_is_the_last_nothing_is_asked(tmp_path: Path, answer: bytes) -> None:
    async def story() -> None:
        async with asked(context(tmp_path), exchange.anyone(), answer) as stream:
            await stream.handshake()
            caller = Caller(stream)
            assert await caller.post("/v1/hello", b"hello") == (200, b"abc")
            with pytest.raises(CallError) as caught:
                await caller.post("/v1/join", b"join")
            assert caught.value.failure is Failure.CLOSED

    asyncio.run(story())


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


def odd(value: bytes) -> Pair:
    """A certificate whose alternative names are these bytes."""
    own = key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "printer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1)).public_key(own.public_key())
    names = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, value)
    return Pair(builder.add_extension(names, critical=False).sign(own, hashes.SHA256()), own)


X400_ADDRESS = b"\x30\x02\xa3\x00"
EMAIL_NOT_ASCII = b"\x30\x03\x81\x01\xff"
PLAIN = pair("node-api", CLUSTER, MASTER, NOW).certificate.public_bytes(Encoding.DER)


class Shown(TlsStream):
    """Has shown this."""

    def __init__(self, certificate: bytes):
        self._shown = certificate

    @property
    def certificate(self) -> bytes:
        return self._shown


@pytest.mark.parametrize(
    "certificate",
    [
        b"",
        b"\x30\x00",
        odd(X400_ADDRESS).certificate.public_bytes(Encoding.DER),
        odd(EMAIL_NOT_ASCII).certificate.public_bytes(Encoding.DER),
        PLAIN.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),
        PLAIN.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")),
        PLAIN.replace(bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030179")),
    ],
    ids=["none", "empty", "x400Address", "bad names", "version 6", "another kind of key", "another curve"],
)
def test_a_stranger_s_certificate_that_cannot_be_read_is_not_hepto_s(certificate: bytes) -> None:
    assert certificate != PLAIN
    for look in (exchange.certificate_of, exchange.server_key):
        with pytest.raises(CallError) as caught:
            look(Shown(certificate))
        assert caught.value.failure is Failure.NOT_HEPTO
    assert why_closed(Shown(certificate), "mycluster").failure is Failure.NOT_HEPTO


def test_such_a_server_is_not_hepto(tmp_path: Path) -> None:
    async def story() -> None:
        async with asked(context(tmp_path, odd(X400_ADDRESS).pem()), exchange.anyone()) as stream:
            await stream.handshake()
            assert why_closed(stream, "mycluster").failure is Failure.NOT_HEPTO

    asyncio.run(story())


def test_a_certificate_without_uris_has_none() -> None:
    assert exchange.uris(pair("admin", CLUSTER, MASTER, NOW).certificate) == ()
