"""The blind relay: its line read three ways, and three loops on loopback: a node, a member, a master."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.api import client, relay
from hepto.api.client import Candidate
from hepto.api.exchange import Failure
from hepto.api.relay import MASTER, Answer, Here, Preamble, Relay, There, parse, parse_answer, preamble, read_line
from hepto.edge.http_server import key_hash
from hepto.edge.streams import PlainStream, connect
from hepto.errors import PeerError
from hepto.pki import store
from tests.api.example import CLUSTER, LOOPBACK, MAC, Asker, Signer, certificate, membership, serving
from tests.api.test_client import ask, reason

NONCE = bytes(range(16))
LINE = preamble(MASTER, MAC, NONCE).encode()


def test_a_line_is_what_it_says() -> None:
    head, _, rest = LINE.partition(b" * ")

    assert head == b"hepto-relay 1"
    assert rest == NONCE.hex().encode() + b" " + MAC("hepto relay 1", b"*", NONCE).hex().encode() + b"\n"
    assert parse(LINE.rstrip(b"\n")) == Preamble("*", NONCE, MAC("hepto relay 1", b"*", NONCE))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET / HTTP/1.1",
        LINE,
        LINE.strip() + b" ",
        LINE.strip().upper(),
        LINE.strip()[:-1],
        LINE.strip().replace(b"*", b"-node-"),
        LINE.strip().replace(b"*", b"a" * 64),
        LINE.strip().replace(b" 1 ", b" 2 "),
    ],
)
def test_a_wrong_line_is_refused(line: bytes) -> None:
    with pytest.raises(PeerError, match="relay-bad-line"):
        parse(line)


@given(st.binary(max_size=300))
def test_any_line_is_read_or_refused(line: bytes) -> None:
    for reading in (parse, parse_answer):
        with contextlib.suppress(PeerError):
            reading(line)


@pytest.mark.parametrize("step", [1, 7, 1000], ids=["byte by byte", "in pieces", "whole"])
def test_a_line_is_read_however_it_comes_and_what_follows_is_left(step: int) -> None:
    async def story() -> None:
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            data = LINE + b"\x16rest"
            stream = PlainStream(near)

            async def send() -> None:
                for index in range(0, len(data), step):
                    far.send(data[index : index + step])
                    await asyncio.sleep(0)

            line, _ = await asyncio.gather(read_line(stream), send())
            rest = b""
            while len(rest) < 5:
                rest += await stream.read()
            assert (line + b"\n", rest) == (LINE, b"\x16rest")

    asyncio.run(story())


@pytest.mark.parametrize("data", [b"hepto-relay 1 *", b"x" * 1000], ids=["cut short", "endless"])
def test_a_line_that_does_not_end_is_refused(data: bytes) -> None:
    async def story() -> None:
        near, far = socket.socketpair()
        with near:
            near.setblocking(False)
            with far:
                far.send(data)
            with pytest.raises(PeerError, match="relay-bad-line"):
                await read_line(PlainStream(near))

    asyncio.run(story())


def find_master(place: Candidate) -> Relay:
    return Relay(MAC, lambda target: (There(place.address, place.port),) if target == MASTER else ())


def test_a_member_passes_on_to_a_master_and_sees_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        signer = Signer()
        async with serving(certificate(tmp_path), signer.doors(), Relay(MAC, lambda _: Here())) as (master, _):
            # What we speak to the master directly is a relay's line too: the member sends none of its own.
            async with serving(certificate(tmp_path, master=False), {}, find_master(master)) as (member, server):
                assert await ask(member) == "welcome"
                assert server.refused == {}
                pem = store.load_pair((tmp_path / "mymaster.pem").read_bytes())
                assert signer.server_keys == {key_hash(pem.certificate)}

    asyncio.run(story())


def test_a_renewal_by_a_member_verifies_the_master_behind_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), Signer().doors()) as (master, _):
            async with serving(certificate(tmp_path, master=False), {}, find_master(master)) as (member, _):
                asking = client.renew([member], Asker, {}, membership(CLUSTER.certificate), lambda _: True)
                assert await asking == "welcome"

    asyncio.run(story())


def test_a_master_that_is_away_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), {}) as (master, _):
            pass
        async with serving(certificate(tmp_path, master=False), {}, find_master(master)) as (member, _):
            assert (await reason(ask(member)))[0] is Failure.UNREACHABLE

    asyncio.run(story())


def test_there_are_never_more_than_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MOST_RELAYED", 0)

    async def story() -> None:
        async with serving(certificate(tmp_path, master=False), {}, find_master(Candidate(LOOPBACK, 1))) as (member, _):
            assert (await reason(ask(member)))[0] is Failure.BUSY

    asyncio.run(story())


def test_more_bytes_than_allowed_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MOST_BYTES", 100)

    async def story() -> None:
        async with serving(certificate(tmp_path), Signer().doors()) as (master, _):
            async with serving(certificate(tmp_path, master=False), {}, find_master(master)) as (member, server):
                with pytest.raises(client.NobodyError):
                    await ask(member)
                assert server.refused == {"relay-too-many-bytes": 1}

    asyncio.run(story())


async def serve_for_ever(pem: str, behind: int | None) -> None:
    """One process: a master, or a member that knows one. Prints its port."""
    doors, own = Signer().doors(), Relay(MAC, lambda _: Here())
    if behind is not None:
        doors, own = {}, find_master(Candidate(LOOPBACK, behind))
    async with serving(pem, doors, own) as (candidate, _):
        print(candidate.port, flush=True)
        await asyncio.get_running_loop().create_future()


def test_three_processes(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:

        def start(pem: str, behind: int | None) -> int:
            program = (
                f"import sys; sys.path[:] = {sys.path!r}\n"
                "import asyncio; from tests.api.test_relay import serve_for_ever\n"
                f"asyncio.run(serve_for_ever({pem!r}, {behind!r}))\n"
            )
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-I", "-c", program], stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            assert process.stdout
            return int(process.stdout.readline())

        master = start(certificate(tmp_path), None)
        member = start(certificate(tmp_path, master=False), master)

        assert asyncio.run(ask(Candidate(LOOPBACK, member))) == "welcome"


def test_a_line_that_was_overheard_is_of_no_use(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), {}, Relay(MAC, lambda _: Here())) as (member, server):
            for answer in (b"hepto-relay 1 here\n", b""):
                stream = await connect(LOOPBACK, member.port)
                with contextlib.closing(stream), contextlib.suppress(ConnectionError):
                    await stream.write(LINE)
                    assert await stream.read() == answer
            assert server.refused["relay-repeated"] == 1

    asyncio.run(story())


def test_every_answer_has_its_word() -> None:
    assert [parse_answer(f"hepto-relay 1 {word}".encode()) for word in Answer] == list(Answer)
