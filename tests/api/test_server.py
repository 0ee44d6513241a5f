"""The API's server as a whole: counts by reason, and the shares that strangers and members have."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from hepto.api import server as api_server
from hepto.api.client import NobodyError, join
from hepto.api.exchange import Caller, CallError, anyone
from hepto.api.relay import Here, Relay
from hepto.api.routes import Reply
from hepto.api.server import ApiServer, Settings
from hepto.edge.streams import TlsStream, connect
from tests.api.example import LOOPBACK, MAC, Asker, Signer, certificate, membership, serving


def test_refusals_are_counted_by_name_and_the_names_are_bounded(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), {}) as (_, server):
            for number in range(200):
                server.count(f"reason {number % 100}")
            assert len(server.refused) == api_server.MOST_REASONS
            assert server.refused["reason 0"] == 2

    asyncio.run(story())


def test_a_line_in_the_log_comes_with_each_doubling_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), {}) as (candidate, server):
            for count in range(1, 6):
                stream = await connect(LOOPBACK, candidate.port)
                with contextlib.closing(stream), contextlib.suppress(ConnectionError):
                    await stream.write(b"garbage")
                    assert await stream.read() == b""
                assert server.refused == {"not-tls": count}

    asyncio.run(story())
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition("count=")[2] for line in lines] == ["1", "2", "4"]


def test_a_member_s_address_has_a_share_of_its_own(tmp_path: Path) -> None:
    """64 KiB are for a stranger; a member's relay carries more than one join."""

    async def ask(is_member: bool) -> list[bytes]:
        server = ApiServer(
            Settings(0, certificate(tmp_path), "::1"), Signer().doors(), lambda ip: is_member and ip == LOOPBACK.packed
        )
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(server.run(port.set_result))
        tls = TlsStream(await connect(LOOPBACK, await port), anyone())
        answers = []
        with contextlib.closing(tls), contextlib.suppress(CallError, ConnectionError):
            await tls.handshake()
            answers.append((await Caller(tls).post("/v1/hello", b"key" + bytes(200_000)))[1][:9])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return answers

    assert asyncio.run(ask(True)) == [b"nonce for"]
    assert asyncio.run(ask(False)) == []


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        pem = certificate(tmp_path)
        async with serving(pem, {}) as (candidate, _):
            with pytest.raises(OSError):
                await ApiServer(Settings(candidate.port, pem, "::1"), {}, lambda _: False).run()

    asyncio.run(story())


def test_a_door_that_breaks_ends_the_server(tmp_path: Path) -> None:
    async def broken(body: bytes, server_key: bytes) -> Reply:
        raise ZeroDivisionError

    async def story() -> None:
        async with serving(certificate(tmp_path), {"/v1/hello": broken}, Relay(MAC, lambda _: Here())) as (place, _):
            with pytest.raises(NobodyError):
                await join([place], Asker, {}, membership())

    with pytest.raises(ExceptionGroup):
        asyncio.run(story())


def test_nothing_listens_on_ipv4(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), {}) as (candidate, _):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
                assert line.connect_ex(("127.0.0.1", candidate.port)) != 0

    asyncio.run(story())
