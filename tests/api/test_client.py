"""Joins and renewals over real sockets: what helps, and a name for each thing that does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from hepto.api import client
from hepto.api.client import Candidate, Membership, NobodyError
from hepto.api.exchange import Failure
from hepto.api.relay import Here, Relay
from hepto.edge.streams import listen
from hepto.pki.issue import Issuer
from tests.api.example import CLUSTER, LOOPBACK, MAC, STRANGER, Asker, Mac, Signer, certificate, membership, serving


def here(_: str) -> Here:
    return Here()


async def ask(candidate: Candidate, asker: Asker | None = None, *, who: Membership | None = None) -> str:
    return await client.join([candidate], lambda: asker or Asker(), {}, who or membership())


async def renewed(candidate: Candidate, who: Membership, masters: tuple[str, ...] = ("mymaster",)) -> str:
    return await client.renew([candidate], Asker, {}, who, lambda name: name in masters)


async def reason(asking: Awaitable[str]) -> tuple[Failure, str]:
    with pytest.raises(NobodyError) as caught:
        await asking
    (attempt,) = caught.value.attempts
    return attempt.failure, attempt.detail


@contextlib.asynccontextmanager
async def raw(answer: bytes) -> AsyncIterator[Candidate]:
    """A server that says this whatever it hears, and closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handler, "::1", 0)
    try:
        yield Candidate(LOOPBACK, server.sockets[0].getsockname()[1])
    finally:
        server.close()


def test_a_master_lets_a_node_in_and_the_key_it_showed_is_in_the_request(tmp_path: Path) -> None:
    async def story() -> None:
        signer = Signer()
        async with serving(certificate(tmp_path), signer.doors(), Relay(MAC, here)) as (candidate, server):
            assert await ask(candidate) == "welcome"
            assert len(signer.server_keys) == 1
            assert server.refused == {}

    asyncio.run(story())


def test_the_first_that_helps_is_enough(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            raw(b"SSH-2.0-OpenSSH\r\n") as stranger,
            serving(certificate(tmp_path), Signer().doors(), Relay(MAC, here)) as (candidate, _),
        ):
            assert await client.join([stranger, candidate], Asker, {}, membership()) == "welcome"

    asyncio.run(story())


def test_a_wrong_key_gets_no_answer_and_is_told_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), Signer().doors(), Relay(MAC, here)) as (candidate, server):
            assert await reason(ask(candidate, who=membership(mac=Mac(b"other")))) == (Failure.WRONG_KEY, "")
            assert server.refused["relay-bad-proof"] == 1

    asyncio.run(story())


def test_another_cluster_is_told_by_name(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), Signer().doors(), Relay(MAC, here)) as (candidate, _):
            who = Membership("other", Mac(b"other"))
            assert await reason(ask(candidate, who=who)) == (Failure.ANOTHER_CLUSTER, "mycluster")

    asyncio.run(story())


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"", b"\x00" * 400], ids=["text", "nothing", "zeros"])
def test_what_is_not_hepto_is_told(answer: bytes) -> None:
    async def story() -> None:
        async with raw(answer) as candidate:
            assert (await reason(ask(candidate)))[0] is Failure.NOT_HEPTO

    asyncio.run(story())


def test_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.05)

    async def story() -> None:
        with listen(0, "::1") as listener:  # the kernel accepts, and nobody reads
            candidate = Candidate(LOOPBACK, listener.getsockname()[1])
            assert await reason(ask(candidate)) == (Failure.SILENT, "")

    asyncio.run(story())


def test_nobody_there_is_told() -> None:
    async def story() -> None:
        async with raw(b"") as candidate:
            pass
        assert await reason(ask(candidate)) == (Failure.REFUSED, "")

    asyncio.run(story())


def test_a_refusal_keeps_the_master_s_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), Signer(409).doors(), Relay(MAC, here)) as (candidate, server):
            assert await reason(ask(candidate)) == (Failure.REJECTED, "name-taken: hepto node replace")
            assert server.refused == {"name-taken": 1}

    asyncio.run(story())


def test_a_node_with_a_retired_key_renews_with_a_master(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), Signer().doors(), Relay(MAC, here)) as (candidate, _):
            assert await renewed(candidate, membership(CLUSTER.certificate, Mac(b"retired"))) == "welcome"

    asyncio.run(story())


def test_what_the_joiner_does_not_believe_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(certificate(tmp_path), Signer().doors(), Relay(MAC, here)) as (candidate, _):
            found = await reason(ask(candidate, Asker(hides=True)))
            assert found == (Failure.BAD_ANSWER, "another-ca: 11 is not 22")

    asyncio.run(story())


def test_a_member_without_a_master_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        relay = Relay(MAC, lambda _target: ())
        async with serving(certificate(tmp_path, master=False), {}, relay) as (candidate, _):
            assert (await reason(ask(candidate)))[0] is Failure.NO_MASTER

    asyncio.run(story())


@pytest.mark.parametrize(
    ("master", "ca", "masters", "expected"),
    [
        (True, CLUSTER, ("mymaster",), None),
        (True, STRANGER, ("mymaster",), Failure.CERTIFICATE),
        (False, CLUSTER, ("mymaster", "node1"), Failure.CERTIFICATE),
        (True, CLUSTER, (), Failure.CERTIFICATE),
    ],
    ids=["good", "another CA", "a node that poses as master", "a master without a grant"],
)
def test_a_renewal_wants_a_master_of_the_cluster(
    tmp_path: Path, master: bool, ca: Issuer, masters: tuple[str, ...], expected: Failure | None
) -> None:
    async def story() -> None:
        pem = certificate(tmp_path, master=master)
        async with serving(pem, Signer().doors(), Relay(MAC, here)) as (candidate, _):  # the node lies: "here"
            asking = renewed(candidate, membership(ca.certificate), masters)
            if expected is None:
                assert await asking == "welcome"
            else:
                assert (await reason(asking))[0] is expected

    asyncio.run(story())
