import asyncio
import contextlib
import errno
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from hepto.edge import route
from hepto.mesh import machine
from hepto.mesh.driver import MeshDriver, clamp, load_key
from hepto.mesh.model import State
from hepto.mesh.plan import mesh
from hepto.wireguard import public_key
from tests.mesh.tunnel import FakeTunnel
from tests.mesh.world import PLAN, peer, place


def test_the_key_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    key = load_key(str(tmp_path))

    assert load_key(str(tmp_path)) == key
    assert stat.S_IMODE((tmp_path / "identity/wireguard.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


def test_a_damaged_key_is_an_error_and_is_not_replaced(tmp_path: Path) -> None:
    load_key(str(tmp_path))
    path = tmp_path / "identity/wireguard.key"
    path.write_bytes(b"short")

    with pytest.raises(OSError, match="no WireGuard key"):
        load_key(str(tmp_path))
    assert path.read_bytes() == b"short"


def test_a_key_is_clamped_as_the_curve_wants_it() -> None:
    assert clamp(b"\xff" * 32) == b"\xf8" + b"\xff" * 30 + b"\x7f"
    assert clamp(bytes(32)) == bytes(31) + b"\x40"


MESH = mesh(PLAN, "own", 7948, 1500)
PEERS = (peer("node1", place(1)), peer("node2", place(2)))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the driver announces nothing of the kind
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(driver: MeshDriver) -> AsyncIterator[None]:
    task = asyncio.create_task(driver.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


def test_the_interface_is_made_once_and_then_left_alone(tmp_path: Path) -> None:
    tunnel = FakeTunnel()
    MeshDriver(str(tmp_path), tunnel).apply(MESH)

    assert tunnel.writes == [
        "route fd6d:9999:dd30::/48",
        "add link",
        "set device",
        "set link",
        "add address",
        "route fd6d:9999:dd30:300::/112",
    ]
    tunnel.writes.clear()
    MeshDriver(str(tmp_path), tunnel).apply(MESH)
    assert tunnel.writes == []
    MeshDriver(str(tmp_path), tunnel).apply(mesh(PLAN, "own", 7948, 1400))
    assert tunnel.writes == ["set link"]


def test_peers_are_set_and_a_new_agent_beside_the_same_mesh_writes_nothing(tmp_path: Path) -> None:
    tunnel = FakeTunnel()

    async def first() -> None:
        driver = MeshDriver(str(tmp_path), tunnel)
        driver.wish(PEERS, frozenset())
        async with running(driver):
            driver.apply(MESH)
            await until(lambda: len(tunnel.peers) == 2 and len(tunnel.table) == 6)
            assert [item.state for item in driver.view().peers] == [State.UNKNOWN] * 2
            driver.wish(PEERS, frozenset({PEERS[0].public_key}))
            await until(lambda: len(tunnel.peers) == 1 and len(tunnel.table) == 4)
            driver.wish(PEERS, frozenset())
            await until(lambda: len(tunnel.peers) == 2 and len(tunnel.table) == 6)

    async def second() -> None:
        driver = MeshDriver(str(tmp_path), tunnel)
        driver.apply(MESH)
        driver.wish(PEERS, frozenset())
        async with running(driver):
            looks = tunnel.looks
            await until(lambda: tunnel.looks > looks and len(driver.view().peers) == 2)
            for _ in range(10):
                await asyncio.sleep(0)

    asyncio.run(first())
    assert tunnel.table[PEERS[0].pods] == route.Route(PEERS[0].pods, 7, source=MESH.address)
    tunnel.writes.clear()
    asyncio.run(second())
    assert tunnel.writes == []


def test_a_peer_that_the_kernel_refuses_holds_up_no_other(tmp_path: Path) -> None:
    tunnel = FakeTunnel()
    tunnel.refused = {PEERS[0].public_key}

    async def story() -> None:
        driver = MeshDriver(str(tmp_path), tunnel)
        driver.apply(MESH)
        driver.wish(PEERS, frozenset())
        async with running(driver):
            await until(lambda: set(tunnel.peers) == {PEERS[1].public_key} and len(tunnel.table) == 6)

    asyncio.run(story())


def test_a_renewed_key_is_kept_and_used(tmp_path: Path) -> None:
    tunnel = FakeTunnel()
    driver = MeshDriver(str(tmp_path), tunnel)
    driver.apply(MESH)
    before = tunnel.configured.public_key

    renewed = driver.renew_key()

    assert renewed == public_key(load_key(str(tmp_path))) == tunnel.configured.public_key
    assert renewed != before


def test_the_newest_handshake_is_that_of_the_key_in_use(tmp_path: Path) -> None:
    """The kernel keeps the date of a peer's last handshake when the device gets another key."""
    tunnel = FakeTunnel()
    tunnel.answering = True

    async def story() -> None:
        driver = MeshDriver(str(tmp_path), tunnel)
        driver.apply(MESH)
        driver.wish(PEERS, frozenset())
        async with running(driver):
            await until(lambda: len(tunnel.peers) == 2)
            assert driver.handshake is None
            driver.wish((*PEERS, peer("node3", place(3))), frozenset())
            await until(lambda: len(tunnel.peers) == 3)
            driver._look(routes=False)
            assert driver.handshake == max(item.handshake for item in tunnel.peers.values())
            tunnel.answering = False
            driver.renew_key()
            assert driver.handshake is None
            assert not tunnel.peers
            await until(lambda: len(tunnel.peers) == 3)
            driver._look(routes=False)
            assert driver.handshake is None

    asyncio.run(story())


def test_an_interface_that_somebody_removed_is_made_again_with_its_peers(tmp_path: Path) -> None:
    tunnel = FakeTunnel()

    async def story() -> None:
        driver = MeshDriver(str(tmp_path), tunnel)
        driver.apply(MESH)
        driver.wish(PEERS, frozenset())
        async with running(driver):
            await until(lambda: len(tunnel.table) == 6)
            tunnel.found = None
            tunnel.peers.clear()
            tunnel.table.clear()
            driver.renew_key()  # reads the device again
            await until(lambda: len(tunnel.table) == 6 and len(tunnel.peers) == 2)

    asyncio.run(story())


class FakeEcho:
    """Answers what is not too large, by a pair of sockets."""

    def __init__(self, largest: int):
        self.largest = largest
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.waiting: list[tuple[IPv6Address, int]] = []

    def fileno(self) -> int:
        return self.here.fileno()

    def close(self) -> None:
        self.here.close()
        self.there.close()

    def send(self, address: IPv6Address, sequence: int, size: int) -> None:
        if size > self.largest:
            raise OSError(errno.EMSGSIZE, "too long")
        self.waiting.append((address, sequence))
        self.there.send(b".")

    def receive(self) -> Iterator[tuple[IPv6Address, int]]:
        self.here.recv(100)
        answers, self.waiting = self.waiting, []
        yield from answers


@pytest.mark.parametrize(("path", "expected"), [(0, 1420), (1400, 1320)])
def test_a_peer_that_is_heard_is_probed_and_the_kernel_s_knowledge_counts(
    tmp_path: Path, path: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "SOON", 0.05)
    tunnel = FakeTunnel()
    tunnel.answering, tunnel.path = True, path
    tunnel.line = FakeEcho(1420)  # type: ignore[assignment] # of the same shape

    async def story() -> None:
        driver = MeshDriver(str(tmp_path), tunnel)
        driver.apply(MESH)
        driver.wish(PEERS, frozenset())
        async with running(driver):
            await until(lambda: len(tunnel.table) == 6)
            driver.renew_key()  # reads the device again
            await until(lambda: {item.mtu for item in driver.view().peers} == {expected})
            assert {item.state for item in driver.view().peers} == {State.UP}
            locked = None if expected == 1420 else expected
            await until(lambda: {tunnel.table[item.pods].mtu for item in PEERS} == {locked})

    asyncio.run(story())
