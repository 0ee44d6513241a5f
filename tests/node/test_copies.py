"""Copies of backups over real TLS; ::1 plays the mesh. A keeper takes what is whole, encrypted and the master's."""

import asyncio
import functools
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from hepto.api.client import Candidate
from hepto.api.exchange import Failure
from hepto.api.operators import Verb
from hepto.api.routes import BACKUP, BACKUPS, Door, Inside, Reply
from hepto.api.server import ApiServer, Settings
from hepto.backup import age, copies, schedule
from hepto.backup.copies import Offer, Refused
from hepto.backup.driver import GZIP
from hepto.edge import files
from hepto.edge.files import Space
from hepto.edge.http_server import Response
from hepto.errors import PeerError, UserError
from hepto.node.board import Board
from hepto.node.copies import DIRECTORY, Copier, Shelf, handlers, stored
from hepto.node.desired import Identity
from hepto.pki.operator import Order, Ordered
from hepto.wireguard import public_key
from tests.api.example import CLUSTER, LOOPBACK, STRANGER, certificate, membership
from tests.node.facts import config
from tests.pki.example import MASTER, WORKER

NOW = datetime(2026, 11, 30, 16, 15, tzinfo=UTC)
MESH = IPv6Network("::1/128")
ORDERED = Ordered(Order("node1", "copy", (), b""), b"")


def name(hours: int, *, encrypted: bool = True) -> str:
    return schedule.name("mycluster", MASTER.node, NOW + timedelta(hours=hours), encrypted=encrypted)


@functools.cache
def content(hours: int) -> bytes:
    """What is in that file: more than fits into one piece."""
    pieces = [bytes([hours]) * 400_000]
    return b"".join(age.encrypt([public_key(bytes(32))], pieces, random.Random(hours).randbytes))


@dataclass
class Site:
    """A master with backups, and a node that may keep copies."""

    directory: Path
    up: tuple[str, ...] = (MASTER.node,)
    ca: Any = CLUSTER.certificate
    name_of: str | None = WORKER.node
    board: Board = field(default_factory=Board)
    of_master: Board = field(default_factory=Board)
    place: Candidate | None = None

    def __post_init__(self) -> None:
        self.board.learn(fingerprint="ab" * 32)
        node = Identity(config(cluster="mycluster", name="node1"), WORKER.node, str(self.directory / "node1"), "0" * 32)
        self.copier = Copier(
            self.board,
            node,
            lambda: self.up,
            lambda one: one == MASTER.node,
            lambda _: self.place,
            lambda: membership(self.ca),
        )

    def put(self, *hours: int) -> None:
        """The master takes backups."""
        place = self.directory / "mymaster/backups"
        place.mkdir(parents=True, exist_ok=True)
        for one in hours:
            (place / name(one)).write_bytes(content(one))

    @property
    def kept(self) -> dict[str, bytes]:
        """Everything that is in the keeper's directory."""
        place = self.directory / "node1" / DIRECTORY
        return {path.name: path.read_bytes() for path in place.iterdir()} if place.exists() else {}

    @asynccontextmanager
    async def serving(
        self, doors: Mapping[str, Door | Inside] | None = None, *, master: bool = True, mesh: IPv6Network = MESH
    ) -> AsyncIterator[ApiServer]:
        shelf = Shelf(self.of_master, str(self.directory / "mymaster"), lambda _: self.name_of)
        settings = Settings(0, certificate(self.directory, master=master), "::1", mesh=mesh)
        server = ApiServer(settings, shelf.doors() if doors is None else doors, lambda _: False)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(server.run(port.set_result))
        self.place = Candidate(LOOPBACK, await port)
        try:
            yield server
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def offering(data: bytes, size: int | None = None, hours: int = 0) -> dict[str, Inside]:
    """A master that gives this as a backup, and may lie about its size."""

    async def listing(body: bytes, peer: IPv6Address) -> Reply:
        return Reply(200, copies.dump_offers([Offer(name(hours), len(data) if size is None else size)]))

    async def pieces() -> AsyncIterator[bytes]:
        for place in range(0, len(data), 10_000):
            yield data[place : place + 10_000]

    async def giving(body: bytes, peer: IPv6Address) -> Response:
        return Response(200, pieces())

    return {BACKUPS: Inside(listing), BACKUP: Inside(giving)}


def look(site: Site, doors: Mapping[str, Door | Inside] | None = None, **how: Any) -> dict[str, int]:
    """The keeper looks once; what was refused there."""

    async def story() -> None:
        async with site.serving(doors, **how):
            await site.copier.look()

    asyncio.run(story())
    return dict(site.copier.refused)


def test_a_keeper_has_all_that_the_master_has_and_both_know_it(site: Site) -> None:
    site.put(0, 1, 2)

    assert look(site) == {}

    names = (name(0), name(1), name(2))
    assert site.kept == {one: content(hours) for hours, one in enumerate(names)}
    assert site.board.facts.copies_here == names
    assert site.of_master.facts.copies == {WORKER.node: names}
    assert {path.stat().st_mode & 0o777 for path in (site.directory / "node1" / DIRECTORY).iterdir()} == {0o600}


def test_the_last_five_are_kept(site: Site) -> None:
    site.put(0, 1, 2, 3)
    look(site)
    for hours in (0, 1, 2):
        (site.directory / "mymaster/backups" / name(hours)).unlink()
    site.put(4, 5, 6)
    look(site)

    assert sorted(site.kept) == [name(hours) for hours in range(2, 7)]
    assert site.of_master.facts.copies == {WORKER.node: tuple(name(hours) for hours in range(3, 7))}


def test_what_is_there_is_not_fetched_again(site: Site) -> None:
    site.put(0)
    look(site)
    before = (site.directory / "node1" / DIRECTORY / name(0)).stat()
    look(site)

    assert (site.directory / "node1" / DIRECTORY / name(0)).stat().st_mtime_ns == before.st_mtime_ns


def test_nothing_that_is_not_encrypted_is_offered_or_given(site: Site) -> None:
    site.put(0)
    (site.directory / "mymaster/backups" / name(1, encrypted=False)).write_bytes(GZIP + bytes(100))
    assert look(site) == {}

    assert set(site.kept) == {name(0)}
    with pytest.raises(UserError):
        asyncio.run(order(site.directory / "mymaster", Verb.COPY, name(1, encrypted=False)))


def test_who_is_not_chosen_keeps_what_it_has_and_asks_for_nothing(site: Site) -> None:
    site.put(0)
    look(site)
    site.put(1)
    others = [f"node{number}" for number in range(2, 40)]
    site.up = (MASTER.node, *others)
    assert WORKER.node not in copies.keepers("ab" * 32, (WORKER.node, *others))

    assert look(site) == {}
    assert set(site.kept) == {name(0)}


def test_without_a_master_nobody_is_asked(site: Site) -> None:
    site.up = ("node2",)

    assert look(site, {}) == {}
    site.up, site.place = (MASTER.node,), None
    asyncio.run(site.copier.look())
    assert site.copier.refused == {}


HOSTILE: dict[str, tuple[bytes, int | None, str]] = {
    "plain": (GZIP + bytes(30_000), None, Refused.PLAIN),
    "not of age": (b"age-encryption.org/v2\n" + bytes(30_000), None, Refused.PLAIN),
    "longer than said": (content(0), 1000, Refused.LENGTH),
    "shorter than said": (content(0), len(content(0)) + 1, Refused.LENGTH),
    "larger than any": (content(0), copies.MOST_BYTES + 1, Refused.TOO_LARGE),
    "larger than the disk": (content(0), copies.MOST_BYTES, Refused.NO_ROOM),
}


@pytest.mark.parametrize(("data", "size", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_copy_changes_nothing_and_is_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch, data: bytes, size: int | None, reason: str
) -> None:
    site.put(0)
    look(site)
    before = site.kept
    monkeypatch.setattr(files, "space", lambda _: Space(1 << 33, 1 << 32, 1, 1))

    assert look(site, offering(data, size, hours=1)) == {reason: 1}
    assert site.kept == before
    look(site, offering(data, size, hours=1))
    assert site.copier.refused == {reason: 1 if reason in (Refused.PLAIN, Refused.LENGTH, Refused.TOO_LARGE) else 2}


def test_a_transfer_that_breaks_off_leaves_nothing_and_is_tried_again(site: Site) -> None:
    broken = offering(content(0))

    async def half() -> AsyncIterator[bytes]:
        yield content(0)[:100_000]
        raise PeerError("disk", "it fails")

    async def giving(body: bytes, peer: IPv6Address) -> Response:
        return Response(200, half())

    assert look(site, {**broken, BACKUP: Inside(giving)}) == {Failure.CLOSED: 1}
    assert site.kept == {}
    assert look(site, broken) == {Failure.CLOSED: 1}
    assert site.kept == {name(0): content(0)}


def test_a_disk_that_takes_nothing_is_named_until_it_does(site: Site) -> None:
    site.put(0)
    (site.directory / "node1").mkdir()
    (site.directory / "node1" / DIRECTORY).write_text("no directory")

    assert look(site) == {Refused.NOT_WRITTEN: 1}
    assert DIRECTORY in site.board.facts.no_copy
    (site.directory / "node1" / DIRECTORY).unlink()
    look(site)
    assert site.board.facts.no_copy == ""
    assert site.kept == {name(0): content(0)}


def test_who_is_no_longer_to_have_a_copy_does_not_complain(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put(0)
    monkeypatch.setattr(files, "space", lambda _: Space(100, 1, 1, 1))
    look(site)
    assert site.board.facts.no_copy.startswith(f"{name(0)} has ")

    site.up = ("node2",)
    look(site)
    assert site.board.facts.no_copy == ""


@pytest.mark.parametrize("who", ["a worker", "another cluster", "another name", "silent"])
def test_nobody_but_the_master_gives_anything(site: Site, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put(0)
    if who == "another cluster":
        site.ca = STRANGER.certificate
    if who == "another name":
        monkeypatch.setattr(site.copier, "_is_master", lambda one: one == "one")
        site.up = ("one",)
    if who == "silent":
        site.place = Candidate(LOOPBACK, 1)
        asyncio.run(site.copier.look())
        assert site.copier.refused == {Failure.REFUSED: 1}
    else:
        assert look(site, master=who != "a worker") == {Failure.CERTIFICATE: 1}
    assert site.kept == {}


def test_a_master_s_backups_of_another_name_are_refused(site: Site) -> None:
    async def listing(body: bytes, peer: IPv6Address) -> Reply:
        return Reply(200, copies.dump_offers([Offer(schedule.name("demo", "one", NOW, encrypted=True), 10)]))

    async def endless(body: bytes, peer: IPv6Address) -> Reply:
        return Reply(200, bytes(copies.MOST_MESSAGE + 1))

    assert look(site, {BACKUPS: Inside(listing)}) == {Refused.NAME: 1}
    assert look(site, {BACKUPS: Inside(endless)}) == {Refused.NAME: 1, Refused.MALFORMED: 1}


class TestShelf:
    """What a master lets anybody have."""

    def ask(self, site: Site, path: str, body: bytes, peer: IPv6Address = LOOPBACK) -> Reply | Response:
        shelf = Shelf(site.of_master, str(site.directory / "mymaster"), lambda _: site.name_of)

        async def story() -> Reply | Response:
            return await shelf.doors()[path].answer(body, peer)

        return asyncio.run(story())

    def test_it_is_for_nodes_on_the_mesh(self, site: Site) -> None:
        site.put(0)

        async def story() -> None:
            async with site.serving(mesh=IPv6Network("fd00::/56")) as server:
                await site.copier.look()
                assert server.refused == {"not-on-the-mesh": 1}

        asyncio.run(story())
        assert site.copier.refused == {Failure.CLOSED: 1}
        site.name_of = None
        with pytest.raises(PeerError) as caught:
            self.ask(site, BACKUPS, copies.dump_names(()))
        assert caught.value.reason == Refused.STRANGER

    @pytest.mark.parametrize("path", [BACKUPS, BACKUP])
    def test_what_is_no_message_gets_no_answer(self, site: Site, path: str) -> None:
        for body in (b"", b"\xc1", os.urandom(100), copies.dump_names(["../pki/ca.pem"])):
            with pytest.raises(PeerError) as caught:
                self.ask(site, path, body)
            assert caught.value.reason == Refused.MALFORMED

    def test_a_backup_that_is_not_there_is_refused_by_name(self, site: Site) -> None:
        site.put(0)

        for names in ((name(1),), (), (name(0), name(0))):
            assert self.ask(site, BACKUP, copies.dump_names(names)) == Reply(404, reason=Refused.UNKNOWN)

    def test_what_a_node_says_to_have_and_the_master_has_not_is_not_believed(self, site: Site) -> None:
        site.put(0)
        self.ask(site, BACKUPS, copies.dump_names([name(0), name(9)]))

        assert site.of_master.facts.copies == {WORKER.node: (name(0),)}

    def test_a_disk_that_cannot_be_read_is_no_defect(self, site: Site) -> None:
        (site.directory / "mymaster").mkdir()
        (site.directory / "mymaster/backups").write_text("no directory")

        for path, names in ((BACKUPS, ()), (BACKUP, (name(0),))):
            assert self.ask(site, path, copies.dump_names(names)) == Reply(503, reason="backups-not-read")


async def order(directory: Path, verb: Verb, *arguments: str) -> Any:
    """What an operator is given."""
    found = await handlers(str(directory))[verb](arguments, ORDERED)
    return b"".join([piece async for piece in found]) if isinstance(found, AsyncIterator) else found


def test_an_operator_gets_a_copy_back_from_the_node_that_has_it(site: Site) -> None:
    site.put(0, 1)
    look(site)
    node = site.directory / "node1"

    listed = asyncio.run(order(node, Verb.BACKUPS))

    assert [(one["name"], one["size"], one["encrypted"]) for one in listed] == [
        (name(hours), len(content(hours)), True) for hours in (0, 1)
    ]
    assert listed[0]["made"] == int(NOW.timestamp())
    assert asyncio.run(order(node, Verb.COPY, name(0))) == content(0)
    assert asyncio.run(order(site.directory / "mymaster", Verb.COPY, name(1))) == content(1)
    assert asyncio.run(order(site.directory / "nobody", Verb.BACKUPS)) == []
    for bad in ("", "../../etc/passwd", name(7)):
        with pytest.raises(UserError, match="there is no encrypted backup"):
            asyncio.run(order(node, Verb.COPY, bad))


def test_what_cannot_be_read_is_said_in_two_lines(site: Site) -> None:
    (site.directory / DIRECTORY).write_text("no directory")

    with pytest.raises(UserError, match="cannot be read"):
        asyncio.run(order(site.directory, Verb.BACKUPS))
    with pytest.raises(OSError, match="Not a directory"):
        stored(str(site.directory))
