"""The parts of a cluster's member together; the kernel and the other side are stand-ins, and nobody is let in."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from hepto.clock.model import Handshake
from hepto.edge import names
from hepto.edge.pump import pause
from hepto.mesh.driver import MeshDriver, load_key
from hepto.node import cluster as module
from hepto.node.board import Board
from hepto.node.cluster import Cluster
from hepto.node.desired import subject
from hepto.node.orders import NodeOrders
from hepto.node.state import State
from hepto.node.supervisor import Supervisor
from hepto.node.timekeeping import Timekeeper
from hepto.pki.driver import Pki
from hepto.pki.joiner import Enrolment
from hepto.values import Secret
from tests.mesh.tunnel import FakeTunnel
from tests.node import facts
from tests.pki.example import GOSSIP_KEY, SERVER_KEY, Master

LIMIT_SECONDS = 30.0
"""Half of what it may take a node to look at its deadlines by itself."""


def join(pki: Pki, directory: str) -> None:
    """Let in the node whose data is in `directory`."""
    now, master, mesh = datetime.now(UTC), Master(), Secret(load_key(directory))
    joiner = pki.joiner(pki.identity(), mesh, GOSSIP_KEY)
    joiner.hello_answered(master.signer.hello(joiner.hello(), now).body)
    keys = pki.new_keys(now)
    answer = joiner.answered(master.taken(master.signer.join(joiner.request(SERVER_KEY, keys), now)))
    assert isinstance(answer, Enrolment)
    pki.enrol(answer, keys)


def test_a_member_whose_mesh_key_is_worn_asks_for_a_new_grant_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has one, nobody reaches it: it must not wait until a certificate is due."""
    tunnel = FakeTunnel()
    monkeypatch.setattr(module, "MeshDriver", lambda data: MeshDriver(data, tunnel))
    asked = asyncio.Event()

    async def look_up(host: str) -> tuple[IPv6Address, ...]:
        asked.set()
        return ()

    monkeypatch.setattr(names, "addresses", look_up)

    async def story() -> None:
        node = facts.identity(tmp_path, cluster="mycluster", anchor="anchor.example")
        board, built = Board(), time.time() - timedelta(days=1).total_seconds()
        clock = Timekeeper(board, str(tmp_path), State(), built, lambda _: None)
        clock.start()
        join(Pki(str(tmp_path), subject(node)), str(tmp_path))
        orders = NodeOrders(Supervisor(), dict)
        member = Cluster(board, node, orders, clock, None, lambda _: None)
        running = asyncio.create_task(member.run())
        before = load_key(str(tmp_path))
        member.settle(facts.NETWORK, datetime.now(UTC))
        assert load_key(str(tmp_path)) == before
        async with asyncio.timeout(LIMIT_SECONDS):
            while tunnel.looks < 2:  # the first was of the interface; now all of its parts have begun
                await pause(0)
        assert not asked.is_set()

        clock.feed(Handshake(time.time() + timedelta(days=365).total_seconds()))
        member.settle(facts.NETWORK, datetime.now(UTC))
        assert load_key(str(tmp_path)) != before
        async with asyncio.timeout(LIMIT_SECONDS):
            await asked.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
