"""Joins and renewals from one end to the other: hepto/pki's own joiner and signer over TLS on the loopback device."""

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto.api import client
from hepto.api.client import Candidate, Membership, NobodyError
from hepto.api.exchange import Failure
from hepto.api.relay import Here, Relay, There
from hepto.api.server import ApiServer
from hepto.api.signing import Signing
from hepto.pki import fields
from hepto.pki.joiner import Enrolment, Joiner, Renewer, Waiting
from hepto.pki.reasons import PkiError
from hepto.pki.register import Register
from tests.api.example import CLUSTER, NOW, certificate, serving
from tests.pki.example import GOSSIP_KEY, JOIN_KEY, PROFILES, Master, Node, key

MAC = functools.partial(fields.mac, JOIN_KEY)
JOINING = Membership("mycluster", MAC)
BELONGING = Membership("mycluster", MAC, CLUSTER.certificate)


class Site:
    """A master with its API, and what was made durable."""

    def __init__(self, admit: str = "key"):
        self.master = Master(admit, issuer=CLUSTER)
        self.kept: list[Register] = []
        self.full = False
        self.signing = Signing(self.master.signer, self.persist, lambda: datetime.now(UTC))

    def persist(self, register: Register) -> None:
        if self.full:
            raise OSError("no space left")
        assert register != self.master.signer.register, "durable before it is used"
        self.kept.append(register)

    @contextlib.asynccontextmanager
    async def serve(self, tmp_path: Path) -> AsyncIterator[tuple[Candidate, ApiServer]]:
        async with serving(certificate(tmp_path), self.signing.doors(), Relay(MAC, lambda _: Here())) as found:
            yield found


async def join(candidate: Candidate, node: Node, pin: str | None = None) -> Enrolment | Waiting:
    keys = {profile: key() for profile in PROFILES}
    joiner: Callable[[], Joiner] = lambda: Joiner(node.applicant, GOSSIP_KEY, os.urandom(32), pin=pin)  # noqa: E731
    return await client.join([candidate], joiner, keys, JOINING)


async def renew(candidate: Candidate, node: Node) -> Enrolment | Waiting:
    def renewer() -> Renewer:
        return Renewer(node.applicant, GOSSIP_KEY, os.urandom(32), known=CLUSTER.certificate)

    return await client.renew([candidate], renewer, {"node-api": key()}, BELONGING, lambda name: name == "mymaster")


async def refused(asking: Awaitable[object]) -> tuple[Failure, str]:
    with pytest.raises(NobodyError) as caught:
        await asking
    (attempt,) = caught.value.attempts
    return attempt.failure, attempt.detail


def test_a_node_joins_by_way_of_a_member_and_renews(tmp_path: Path) -> None:
    async def story() -> None:
        site, node = Site(), Node()
        async with site.serve(tmp_path) as (master, _):
            relay = Relay(MAC, lambda _: (There(master.address, master.port),))
            async with serving(certificate(tmp_path, master=False), {}, relay) as (member, _):
                enrolment = await join(member, node)
                again = await renew(member, node)
                direct = await renew(master, node)

            assert isinstance(enrolment, Enrolment)
            assert enrolment.authority == CLUSTER.certificate
            assert sorted(enrolment.certificates) == sorted(PROFILES)
            assert abs(enrolment.time - NOW.timestamp()) < 3600
            assert isinstance(again, Enrolment)
            assert isinstance(direct, Enrolment)
            assert "node1" in site.master.signer.register.nodes
            assert site.kept[-1] == site.master.signer.register

    asyncio.run(story())


def test_a_taken_name_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async def story() -> None:
        site = Site()
        async with site.serve(tmp_path) as (master, server):
            await join(master, Node())
            failure, detail = await refused(join(master, Node()))

            assert failure is Failure.REJECTED
            assert "hepto node replace" in detail
            assert server.refused == {"name-taken": 1}

    asyncio.run(story())


def test_a_node_waits_for_an_operator(tmp_path: Path) -> None:
    async def story() -> None:
        site, node = Site("operator"), Node()
        async with site.serve(tmp_path) as (master, _):
            assert await join(master, node) == Waiting(node.fingerprint)

    asyncio.run(story())


def test_another_ca_than_the_pinned_one_is_not_joined(tmp_path: Path) -> None:
    async def story() -> None:
        site = Site()
        async with site.serve(tmp_path) as (master, _):
            failure, detail = await refused(join(master, Node(), pin="00" * 32))
            assert failure is Failure.BAD_ANSWER
            assert detail.startswith("other-authority")
            assert site.kept == []

    asyncio.run(story())


def test_a_register_that_is_not_durable_lets_nobody_in(tmp_path: Path) -> None:
    async def story() -> None:
        site = Site()
        site.full = True
        async with site.serve(tmp_path) as (master, server):
            assert await refused(join(master, Node())) == (Failure.REJECTED, "status 503")
            assert "node1" not in site.master.signer.register.nodes
            assert server.refused == {"register-not-written": 1}
            site.full = False
            assert isinstance(await join(master, Node()), Enrolment)

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/v1/hello", "/v1/join", "/v1/renew"])
def test_who_proves_nothing_gets_no_answer(path: str) -> None:
    async def story() -> None:
        with pytest.raises(PkiError):
            await Site().signing.doors()[path](b"garbage", bytes(32))

    asyncio.run(story())
