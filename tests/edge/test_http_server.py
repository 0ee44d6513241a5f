"""The HTTPS server against peers who behave, and who do not: real sockets on the loopback device."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.edge import http_server
from hepto.edge.http_server import Ticket, key_hash
from hepto.edge.streams import PlainStream, TlsStream, listen
from hepto.gossip.admission import Bounds
from hepto.pki import store
from init.contract import durable
from tests.edge import site as server_site
from tests.edge.site import ISSUER, LOOPBACK, NOW, POST, anyone, rest, run, site
from tests.pki.example import pair


def test_a_request_is_answered_and_the_handler_knows_from_whom_and_with_which_key(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            answer = await server.ask(b"POST /echo HTTP/1.0\r\nHost: a\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc")
            (request,) = server.seen

            assert answer.startswith(b"HTTP/1.1 200 \r\n")
            assert answer.endswith(b"\r\n\r\nPOST abc")
            assert (request.peer, request.headers["x-one"]) == (LOOPBACK, "1")
            certificate = store.load_pair((tmp_path / "server.pem").read_bytes()).certificate
            assert request.server_key == key_hash(certificate)
            assert server.refused == []

    run(story)


@pytest.mark.parametrize("step", [1, 5, 10_000], ids=["byte by byte", "in pieces", "whole"])
def test_requests_are_read_however_they_come(tmp_path: Path, step: int) -> None:
    data = (
        POST % 3
        + b"abc"
        + b"POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
    )

    async def story() -> None:
        async with site(tmp_path) as server:
            stream = await server.tls()
            with contextlib.closing(stream):
                for index in range(0, len(data), step):
                    await stream.write(data[index : index + step])
                answer = await rest(stream)

            assert [request.body for request in server.seen] == [b"abc", b"de"]
            assert answer.count(b"HTTP/1.1 ") == 2
            assert b"HTTP/1.1 404 " in answer
            assert b"Connection: close" in answer

    run(story)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x00\x05hello", "not-tls"),
        (b"\x16" + bytes(200), "not-tls"),
        (b"GET / HTTP/1.1\r\n\r\n", "not-tls"),
        (b"\x00", "not-tls"),
    ],
    ids=["garbage that looks like TLS", "zeros", "HTTP in clear", "one byte"],
)
def test_who_speaks_no_tls_gets_no_byte(tmp_path: Path, data: bytes, reason: str) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            stream = await server.plain()
            with contextlib.closing(stream):
                await stream.write(data)
                assert await rest(stream) == b""
            assert server.refused == [reason]
            assert (await server.ask(POST % 0 + POST % 0 + b"\0")).startswith(b"HTTP/1.1 200")

    run(story)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\0\0\r\n\r\n", "not-http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not-http"),
        (b"POST / HTTP/1.1\r\nX: " + b"a" * 20_000, "not-http"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "not-http"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", "request-too-large"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"a" * 70_000,
            "stream-too-large",
        ),
        (b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "refused-by-handler"),
    ],
    ids=["zeros", "HTTP/2", "endless head", "two lengths", "announced too large", "too large", "the handler's refusal"],
)
def test_who_breaks_a_rule_is_closed_without_an_answer(tmp_path: Path, data: bytes, reason: str) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            stream = await server.tls()
            with contextlib.closing(stream):
                with contextlib.suppress(ConnectionError):
                    await stream.write(data)
                assert await rest(stream) == b""
            assert server.refused == [reason]

    run(story)


class Failing(socket.socket):
    """A listener whose first calls of accept fail so."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


def test_no_failure_of_accept_that_passes_ends_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listener(port: int, host: str) -> Failing:
        found = Failing(fileno=listen(port, host).detach())
        found.failures = [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EHOSTUNREACH, errno.EMFILE]
        return found

    monkeypatch.setattr(http_server, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(server_site, "listen", listener)

    async def story() -> None:
        async with site(tmp_path) as server:
            assert (await server.ask(POST % 0 + POST % 0 + b"\0")).startswith(b"HTTP/1.1 200")

    run(story)


def test_a_listener_that_is_none_ends_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def listener(port: int, host: str) -> Failing:
        found = Failing(fileno=listen(port, host).detach())
        found.failures = [errno.EINVAL]
        return found

    monkeypatch.setattr(server_site, "listen", listener)

    async def story() -> None:
        async with site(tmp_path) as server:
            await asyncio.wait([server.task])
            assert server.task.exception() is not None

    run(story)


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=400), encrypted=st.booleans())
def test_no_bytes_end_the_server(tmp_path_factory: pytest.TempPathFactory, data: bytes, encrypted: bool) -> None:
    directory = tmp_path_factory.getbasetemp()

    async def story() -> None:
        async with site(directory) as server:
            stream = await server.tls() if encrypted else await server.plain()
            with contextlib.closing(stream), contextlib.suppress(ConnectionError):
                await stream.write(data)
            assert not server.task.done()
            assert (await server.ask(b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")

    run(story)


@pytest.mark.parametrize(
    "data", [None, b"", b"\x16\x03\x01"], ids=["after the handshake", "before the first byte", "in the handshake"]
)
def test_who_is_too_slow_is_closed(tmp_path: Path, data: bytes | None) -> None:
    async def story() -> None:
        async with site(tmp_path, seconds=0.3) as server:
            stream = await server.tls() if data is None else await server.plain()
            with contextlib.closing(stream):
                await stream.write((POST % 3)[:-1] if data is None else data)
                assert await rest(stream) == b""
            assert server.refused == ["too-slow"]

    run(story)


@pytest.mark.parametrize(("more", "refused"), [(b"", []), (b"POST /", ["too-slow"])], ids=["nothing", "half a request"])
def test_who_asks_no_more_is_closed_and_not_blamed(tmp_path: Path, more: bytes, refused: list[str]) -> None:
    async def story() -> None:
        async with site(tmp_path, seconds=0.3) as server:
            stream = await server.tls()
            with contextlib.closing(stream):
                await stream.write(POST % 0 + more)
                assert (await rest(stream)).count(b"HTTP/1.1 200") == 1
            assert server.refused == refused

    run(story)


def test_a_byte_now_and_then_does_not_win_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, seconds=0.3) as server:
            stream = await server.tls()
            with contextlib.closing(stream), contextlib.suppress(ConnectionError):
                while not server.refused:
                    await stream.write(b"P")
                    await asyncio.sleep(0.01)
            assert server.refused == ["too-slow"]

    run(story)


def test_who_says_all_at_once_and_closes_his_side_is_still_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            plain = await server.plain()
            stream = TlsStream(plain, anyone())
            with contextlib.closing(plain):
                await stream.handshake()
                await stream.write(POST % 3 + b"abc")
                plain.end()
                assert (await rest(stream)).endswith(b"POST abc")
            assert server.refused == []

    run(story)


@pytest.mark.parametrize("data", [POST % 9 + b"abc", b"POST /e"], ids=["body", "head"])
def test_half_a_request_is_none(tmp_path: Path, data: bytes) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            plain = await server.plain()
            stream = TlsStream(plain, anyone())
            with contextlib.closing(plain):
                await stream.handshake()
                await stream.write(data)
                plain.end()
                assert await rest(stream) == b""
            assert server.seen == []
            assert server.refused == ["not-http"]

    run(story)


def test_who_goes_in_the_middle_is_counted_and_forgotten(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            plain = await server.plain()
            await TlsStream(plain, anyone()).handshake()
            plain._line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
            plain.close()
            assert await server.first_refusal == "cut-short"

    run(story)


def test_older_tls_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            context = anyone()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            plain = await server.plain()
            with contextlib.closing(plain), pytest.raises(OSError):
                await TlsStream(plain, context).handshake()

    run(story)


def test_a_renewed_certificate_is_shown_to_the_next_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:

            async def shown() -> bytes:
                stream = await server.tls()
                with contextlib.closing(stream):
                    await stream.write(POST % 0)
                    await stream.read()
                    return stream.certificate

            before = await shown()
            durable.write(str(tmp_path / "server.pem"), pair("node-api", ISSUER, now=NOW).pem())
            after = await shown()
            durable.write(str(tmp_path / "server.pem"), b"nothing")

            assert before != after
            assert await shown() == after
            assert server.seen[0].server_key != server.seen[1].server_key

    run(story)


def test_without_a_certificate_it_does_not_begin(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "server.pem").write_bytes(b"nothing")
        async with site(tmp_path) as server:
            with pytest.raises((OSError, ValueError)):
                await server.task

    run(story)


def test_a_defect_of_the_handler_ends_the_server(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path) as server:
            assert await server.ask(b"POST /bug HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") == b""
            with pytest.raises(ExceptionGroup) as caught:
                await server.task
            assert "the disk is full" in str(caught.value.exceptions)

    run(story)


def test_one_network_has_few_connections_and_others_keep_theirs(tmp_path: Path) -> None:
    async def story() -> None:
        async with site(tmp_path, bounds=Bounds(streams_of_one=2)) as server:
            one, other, third = await server.tls(), await server.tls(), await server.plain()
            assert await rest(third) == b""
            assert server.refused == ["too-many-streams"]
            one.close()
            other.close()
            third.close()

    run(story)


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_is_not_tls_goes_to_whom_it_is_for(tmp_path: Path, goes_on: bool) -> None:
    async def plain(stream: PlainStream, ticket: Ticket) -> bool:
        assert await stream.read(1) + await stream.read(1) + await stream.read(6) == b"before"
        await stream.write(b"now")
        return goes_on

    async def story() -> None:
        async with site(tmp_path, plain=plain) as server:
            under = await server.plain()
            await under.write(b"before")
            assert await under.read() == b"now"
            if goes_on:
                stream = TlsStream(under, anyone())
                await stream.handshake()
                await stream.write(b"GET / HTTP/1.0\r\n\r\n")
                assert (await rest(stream)).startswith(b"HTTP/1.1 200")
            else:
                assert await under.read() == b""
            under.close()

    run(story)


def test_every_refusal_has_a_test() -> None:
    text = Path(__file__).read_text() + (Path(__file__).parent.parent / "api/test_relay.py").read_text()

    assert [reason for reason in http_server.Refusal if f'"{reason}"' not in text] == []
