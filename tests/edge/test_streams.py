"""Streams over socket pairs: both ends of TLS are ours here, so each sees what the other does."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hepto.edge.streams import CHUNK, PlainStream, TlsStream, connect, listen, peer
from hepto.errors import PeerError
from tests.edge.site import ISSUER, LOOPBACK, NOW, anyone
from tests.pki.example import pair

Story = Callable[[PlainStream, PlainStream], Awaitable[None]]


def between(story: Story, took: Callable[[int], None] = lambda _: None) -> None:
    async def run() -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        with contextlib.closing(near), contextlib.closing(far):
            async with asyncio.timeout(20):
                await story(PlainStream(near), PlainStream(far, took))

    asyncio.run(run())


def serving(tmp_path: Path) -> ssl.SSLContext:
    (tmp_path / "server.pem").write_bytes(pair("node-api", ISSUER, now=NOW).pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context


async def whole(stream: PlainStream | TlsStream) -> bytes:
    data = b""
    while piece := await stream.read():
        data += piece
    return data


def test_bytes_come_as_they_went_and_the_end_is_told() -> None:
    async def story(near: PlainStream, far: PlainStream) -> None:
        await near.write(b"abcdef")
        assert await far.read(2) == b"ab"
        far.unread(b"AB")
        assert await far.read(3) == b"AB"
        near.end()
        assert await whole(far) == b"cdef"
        await far.write(b"still")
        assert await near.read() == b"still"

    between(story)


def test_every_byte_is_counted_before_it_is_kept_and_can_be_refused() -> None:
    counted: list[int] = []

    def took(count: int) -> None:
        counted.append(count)
        if sum(counted) > 6:
            raise PeerError("too much")

    async def story(near: PlainStream, far: PlainStream) -> None:
        await near.write(b"abcd")
        assert await far.read() == b"abcd"
        await near.write(b"efgh")
        with pytest.raises(PeerError):
            await far.read()

    between(story, took)
    assert counted == [4, 4]


def test_tls_carries_much_both_ways_at_once(tmp_path: Path) -> None:
    context = serving(tmp_path)
    data = bytes(range(256)) * 4096

    async def story(near: PlainStream, far: PlainStream) -> None:
        client, server = TlsStream(near, anyone()), TlsStream(far, context, server_side=True)
        await asyncio.gather(client.handshake(), server.handshake())

        async def swap(stream: TlsStream, plain: PlainStream) -> bytes:
            async def send() -> None:
                await stream.write(data)
                plain.end()

            _, received = await asyncio.gather(send(), whole(stream))
            return received

        assert tuple(await asyncio.gather(swap(client, near), swap(server, far))) == (data, data)
        assert client.certificate
        assert server.certificate == b""

    between(story)


def test_nothing_is_read_that_nobody_waits_for(tmp_path: Path) -> None:
    """One read takes one piece of a flood, whatever the kernel has."""
    counted: list[int] = []

    async def story(near: PlainStream, far: PlainStream) -> None:
        server = TlsStream(far, serving(tmp_path), server_side=True)
        client = TlsStream(near, anyone())
        await asyncio.gather(client.handshake(), server.handshake())
        flood = asyncio.ensure_future(client.write(bytes(1 << 20)))
        counted.clear()
        assert len(await server.read(10)) == 10
        assert sum(counted) <= 2 * CHUNK
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)

    between(story, counted.append)


def test_an_end_in_the_handshake_is_a_broken_connection(tmp_path: Path) -> None:
    async def story(near: PlainStream, far: PlainStream) -> None:
        near.end()
        with pytest.raises(ConnectionError):
            await TlsStream(far, serving(tmp_path), server_side=True).handshake()

    between(story)


def test_a_close_is_heard(tmp_path: Path) -> None:
    context = serving(tmp_path)

    async def story(near: PlainStream, far: PlainStream) -> None:
        client, server = TlsStream(near, anyone()), TlsStream(far, context, server_side=True)
        await asyncio.gather(client.handshake(), server.handshake())
        server.close()
        assert await client.read() == b""
        client.close()

    between(story)


def test_a_forged_record_is_no_tls(tmp_path: Path) -> None:
    context = serving(tmp_path)

    async def story(near: PlainStream, far: PlainStream) -> None:
        client, server = TlsStream(near, anyone()), TlsStream(far, context, server_side=True)
        await asyncio.gather(client.handshake(), server.handshake())
        await near.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(ssl.SSLError):
            await server.read()

    between(story)


def test_a_listener_is_found_and_knows_who_came() -> None:
    async def story() -> None:
        with listen(0, "::1") as listener:
            port = listener.getsockname()[1]
            stream = await connect(LOOPBACK, port)
            line, _ = await asyncio.get_running_loop().sock_accept(listener)
            with line:
                assert peer(line) == LOOPBACK
                for end in (line, stream._line):  # a small write never waits for the acknowledgement of another
                    assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            stream.close()
            stream.close()
            with pytest.raises(OSError):
                listen(port, "::1")
        with pytest.raises(OSError):
            await connect(LOOPBACK, port)

    asyncio.run(story())
