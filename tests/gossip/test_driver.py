"""The driver over the loopback interface: members find each other, strangers get nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hepto.edge.datagrams import packed
from hepto.edge.pump import now
from hepto.gossip import codec, driver, stream
from hepto.gossip.anchors import parse_anchor
from hepto.gossip.driver import GossipDriver, Wire
from hepto.gossip.messages import Ack, Address, Ping, PushPull, Status
from hepto.gossip.model import Call, Change, Failure, MemberChanged, Resolve, Resolved, SetMeta
from hepto.gossip.plain import Plain
from hepto.gossip.profile import LOCAL
from hepto.gossip.reasons import Reason
from hepto.gossip.settings import Settings
from hepto.machine import Effect
from hepto.values import Secret

HERE = packed("::1")
KEY, OTHER_KEY = Secret(bytes(32)), Secret(bytes(31) + b"\1")
WIRE = Wire(b"demo", (KEY,))


def free_port() -> int:
    """Free for UDP and TCP."""
    while True:
        with (
            socket.socket(socket.AF_INET6) as stream_socket,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other,
        ):
            stream_socket.bind(("::1", 0))
            port: int = stream_socket.getsockname()[1]
            with contextlib.suppress(OSError):
                other.bind(("::1", port))
                return port


class Member:
    """A driver and what it has said."""

    def __init__(self, name: str, *anchors: int, wire: Wire = WIRE):
        self.address = Address(HERE, free_port())
        texts = tuple(f"[::1]:{port}" for port in anchors)
        settings = Settings(name.encode(), self.address, anchors=texts, profile=LOCAL)
        self.effects: list[Effect] = []
        self.news = asyncio.Event()
        self.driver = GossipDriver(settings, wire, Plain(), self._heard, HERE)

    def _heard(self, effect: Effect) -> None:
        self.effects.append(effect)
        self.news.set()

    async def until(self, change: Change, name: bytes) -> None:
        """Wait until that has happened to somebody."""
        while not any(
            isinstance(effect, MemberChanged) and (effect.change, effect.claim.name) == (change, name)
            for effect in self.effects
        ):
            self.news.clear()
            await self.news.wait()

    async def refuses(self, reason: Reason) -> None:
        """Wait until it has refused something for this reason."""
        while not self.driver.core.counters[reason.value]:  # noqa: ASYNC110 (a counter announces nothing)
            await asyncio.sleep(0)

    def knows_nobody_by_address(self) -> None:
        """Whoever connects from here is a stranger, although this member itself has the same address."""
        self.driver._admission._is_member = lambda ip: False


@asynccontextmanager
async def running(*members: Member) -> AsyncIterator[None]:
    tasks = []
    for member in members:
        started = asyncio.Event()
        tasks.append(asyncio.create_task(member.driver.run(started.set)))
        await started.wait()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 10))


def test_members_find_each_other_tell_news_and_leave() -> None:
    async def story() -> None:
        one = Member("one")
        two = Member("two", one.address.port)
        async with running(one, two):
            await one.until(Change.JOINED, b"two")
            await two.until(Change.JOINED, b"one")
            one.driver.feed(SetMeta(b"news"))
            await two.until(Change.UPDATED, b"one")
            assert await two.driver.leave(5)
            await one.until(Change.LEFT, b"two")
        statuses = {claim.name: claim.status for claim in one.driver.core.members()}
        assert statuses == {b"one": Status.ALIVE, b"two": Status.LEFT}

    run(story)


def test_keys_are_changed_while_it_runs() -> None:
    async def story() -> None:
        one = Member("one")
        two = Member("two", one.address.port, wire=Wire(b"demo", (OTHER_KEY, KEY)))
        async with running(one, two):
            one.driver.set_keys((OTHER_KEY,))
            await one.until(Change.JOINED, b"two")

    run(story)


def test_another_key_and_another_name_are_other_clusters() -> None:
    async def story() -> None:
        one = Member("one")
        other = Member("other", one.address.port, wire=Wire(b"demo", (OTHER_KEY,)))
        labelled = Member("labelled", one.address.port, wire=Wire(b"test", (KEY,)))
        async with running(one, other, labelled):
            await one.refuses(Reason.CRYPTO_NO_KEY)
            await one.refuses(Reason.LABEL_MISMATCH)
        for member in (one, other, labelled):
            assert len(member.driver.core.members()) == 1

    run(story)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xf4\4demo" + b"\x0a\0\0\0\x30" + bytes(48), Reason.CRYPTO_NO_KEY),
        (b"\xf4\4test" + bytes(48), Reason.LABEL_MISMATCH),
        (stream.encode(PushPull(()), Wire(b"demo").envelope(), initiator=True), Reason.STREAM_NOT_ENCRYPTED),
        (b"\xf4\4demo" + b"\x0a\0\1\0\1", Reason.STREAM_TOO_LARGE),
        (b"\xf4\4demo" + b"\x0a\0\0\xff\xff" + bytes(1 << 17), Reason.STREAM_TOO_LARGE),
        (b"", Reason.EMPTY_STREAM),
    ],
    ids=["wrong key", "wrong label", "plain", "announced too large for a stranger", "too large for one", "nothing"],
)
def test_a_stream_that_is_not_ours_is_closed_without_a_word(data: bytes, reason: Reason) -> None:
    async def story() -> None:
        one = Member("one")
        one.knows_nobody_by_address()
        async with running(one):
            reader, writer = await asyncio.open_connection("::1", one.address.port)
            answer = b""
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                writer.write_eof()
                answer = await reader.read()
            writer.close()
            await one.refuses(reason)
        assert answer == b""
        assert one.driver._admission.held == 0

    run(story)


def test_a_half_closed_stream_is_answered() -> None:
    async def story() -> None:
        one, envelope = Member("one"), WIRE.envelope()
        async with running(one):
            reader, writer = await asyncio.open_connection("::1", one.address.port)
            writer.write(stream.encode(Ping(7, b"one"), envelope, initiator=True))
            writer.write_eof()
            answer = stream.StreamReader(envelope, 1 << 16, initiator=True).feed(await reader.read())
            writer.close()
        assert answer == Ack(7)

    run(story)


def test_a_datagram_that_is_not_ours_gets_no_answer() -> None:
    async def story() -> None:
        one, loop = Member("one"), asyncio.get_running_loop()
        ping = codec.encode(Ping(7, b"one"))
        async with running(one):
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as stranger:
                stranger.connect(("::1", one.address.port))
                for envelope in (Wire(b"demo", (OTHER_KEY,)).envelope(), Wire(b"demo").envelope(), WIRE.envelope()):
                    await loop.sock_sendall(stranger, envelope.seal((ping,)))
                answer = await loop.sock_recv(stranger, 2000)
                assert Ack(7) in WIRE.envelope().open(answer).messages
                with pytest.raises(BlockingIOError):
                    stranger.recv(2000)

    run(story)


def test_streams_beyond_a_stranger_s_number_are_dropped() -> None:
    async def story() -> None:
        one = Member("one")
        one.knows_nobody_by_address()
        async with running(one):
            lines = [await asyncio.open_connection("::1", one.address.port) for _ in range(33)]
            await one.refuses(Reason.TOO_MANY_STREAMS)
            assert len(one.driver._inbound) == 32
            for _, writer in lines:
                writer.close()

    run(story)


async def fail(port: int, seconds: float = 0.1, ip: bytes = HERE) -> Failure:
    """How a call ends badly."""
    call = Call(1, Address(ip, port), Ping(1), now() + seconds)
    with pytest.raises(driver._CallError) as caught:
        await driver._converse(call, WIRE.envelope())
    return caught.value.failure


class TestFailures:
    """Why a call of ours had no answer, as precisely as can be told."""

    def test_nobody_listens(self) -> None:
        assert asyncio.run(fail(free_port())) is Failure.REFUSED

    def test_the_host_is_not_there(self) -> None:
        assert asyncio.run(fail(9, 0.05, packed("2001:db8:dead::1"))) is Failure.UNREACHABLE

    @pytest.mark.parametrize(
        ("answer", "failure"),
        [(None, Failure.SILENT), (b"", Failure.REJECTED), (b"HTTP/1.1 400 Bad Request", Failure.REJECTED)],
        ids=["it says nothing", "it hangs up", "it talks nonsense"],
    )
    def test_somebody_listens(self, answer: bytes | None, failure: Failure) -> None:
        async def story() -> Failure:
            lines: list[asyncio.StreamWriter] = []

            async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                lines.append(writer)
                await reader.read(1)
                if answer is not None:
                    writer.write(answer)
                    writer.close()

            port = free_port()
            async with await asyncio.start_server(respond, "::1", port):
                found = await fail(port)
                for writer in lines:  # before the server's own end, which waits for them since Python 3.12
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
            return found

        assert asyncio.run(story()) is failure

    def test_a_process_that_is_stopped_accepts_but_is_silent(self) -> None:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as stopped:
            assert asyncio.run(fail(stopped.getsockname()[1])) is Failure.SILENT


@pytest.mark.parametrize("anchor", ["::1", "[::1]:9", "no name at all"])
def test_names_are_looked_up_beside_the_loop(anchor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        one = Member("one")
        fed: asyncio.Queue[object] = asyncio.Queue()
        monkeypatch.setattr(one.driver._pump, "feed", fed.put_nowait)
        one.driver._perform(Resolve(anchor))

        found = await fed.get()

        host, port = parse_anchor(anchor, 7946)
        expected = (Address(HERE, port),) if host == "::1" else ()
        assert found == Resolved(anchor, expected)

    run(story)


def test_a_taken_port_ends_it_with_the_reason() -> None:
    async def story() -> None:
        one, two = Member("one"), Member("two")
        two.driver._listen = one.address
        async with running(one):
            with pytest.raises(OSError, match="in use"):
                await two.driver.run()

    run(story)


def test_no_key_shows_in_a_repr() -> None:
    assert "\\x00" not in repr(WIRE)
