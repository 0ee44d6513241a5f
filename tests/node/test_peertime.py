"""Peers' times over real TLS; ::1 plays the mesh."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from hepto.api.client import Candidate, Membership
from hepto.api.exchange import CallError, Failure
from hepto.api.routes import TIME
from hepto.api.server import ApiServer, Settings
from hepto.clock import times
from hepto.edge.pump import now
from hepto.errors import PeerError, UserError
from hepto.machine import Confidence
from hepto.node import peertime
from hepto.node.board import Board
from hepto.node.facts import Clock
from hepto.node.peertime import PeerTimes, ask
from hepto.node.state import State
from hepto.node.timekeeping import Timekeeper
from tests.api.example import CLUSTER, LOOPBACK, STRANGER, certificate, membership
from tests.pki.example import MASTER, WORKER

MESH = IPv6Network("::1/128")
KNOWN = membership(CLUSTER.certificate)


@asynccontextmanager
async def node(
    directory: Path, confidence: Confidence, mesh: IPv6Network | None = MESH, *, master: bool = False
) -> AsyncIterator[tuple[Candidate, ApiServer]]:
    """A node whose time is an hour later."""
    doors = {TIME: peertime.door(lambda: times.answer(time.time() + 3600, confidence))}
    settings = Settings(0, certificate(directory, master=master), "::1", mesh=mesh)
    server = ApiServer(settings, doors, lambda _: False)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.run(port.set_result))
    try:
        yield Candidate(LOOPBACK, await port), server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_peer_s_time_comes_with_its_name(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path, Confidence.PEERS) as (place, _):
            found = await ask(place, WORKER.node, KNOWN)
            assert found.name == WORKER.node
            assert found.offset == pytest.approx(time.time() + 3600 - now(), abs=30)
            assert not found.master
        async with node(tmp_path, Confidence.PEERS, master=True) as (place, _):
            assert (await ask(place, MASTER.node, KNOWN)).master

    asyncio.run(story())


def test_who_is_not_on_the_mesh_is_closed_without_an_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path, Confidence.PEERS, IPv6Network("fd00::/56")) as (place, server):
            with pytest.raises(CallError) as caught:
                await ask(place, WORKER.node, KNOWN)
            assert caught.value.failure is Failure.CLOSED
            assert server.refused == {"not-on-the-mesh": 1}

    asyncio.run(story())


def test_another_node_at_the_place_and_another_ca_are_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path, Confidence.PEERS) as (place, _):
            for name, known in (("another", KNOWN), (WORKER.node, membership(STRANGER.certificate))):
                with pytest.raises(CallError) as caught:
                    await ask(place, name, known)
                assert caught.value.failure is Failure.CERTIFICATE

    asyncio.run(story())


def test_a_node_that_knows_its_floor_only_does_not_count(tmp_path: Path) -> None:
    async def story() -> None:
        async with node(tmp_path, Confidence.FLOOR) as (place, _):
            with pytest.raises(PeerError) as caught:
                await ask(place, WORKER.node, KNOWN)
            assert caught.value.reason == times.Refused.UNSURE

    asyncio.run(story())


def test_who_cannot_read_its_own_ca_asks_nobody_and_goes_on(tmp_path: Path) -> None:
    read = asyncio.Event()

    def damaged() -> Membership:
        read.set()
        raise UserError("ca.crt is damaged", "restore it")

    async def story() -> None:
        clock = Timekeeper(Board(), str(tmp_path), State(), time.time() - 86400, lambda _: None)
        clock.start()
        peers = PeerTimes(clock, lambda: ("one",), lambda _: Candidate(LOOPBACK, 1), damaged)
        task = asyncio.create_task(peers.run())
        for _ in range(2):
            read.clear()
            clock._ask(1)
            async with asyncio.timeout(20):
                await read.wait()
        assert not task.done()
        task.cancel()

    asyncio.run(story())


def test_the_peers_that_are_up_are_asked_and_one_that_is_silent_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[float] = []
    monkeypatch.setattr(time, "clock_settime", lambda _, to: set_to.append(to))

    async def story() -> None:
        board = Board()
        clock = Timekeeper(board, str(tmp_path), State(), time.time() - 86400, lambda _: None)
        clock.start()
        async with (
            node(tmp_path, Confidence.SYNCHRONISED) as (worker, _),
            node(tmp_path, Confidence.PEERS, master=True) as (master, _),
        ):
            places = {WORKER.node: worker, MASTER.node: master, "silent": Candidate(LOOPBACK, 1)}
            peers = PeerTimes(clock, lambda: (*places, "nowhere"), places.get, lambda: KNOWN)
            task = asyncio.create_task(peers.run())
            clock._ask(7)
            async with asyncio.timeout(20):
                while board.facts.clock is not Clock.PEERS or not peers.refused:
                    await board.changed() if peers.refused else await asyncio.sleep(0)
            task.cancel()
            assert peers.refused == {Failure.REFUSED: 1}

    asyncio.run(story())
    assert set_to[0] == pytest.approx(time.time() + 3600, abs=60)
