"""Copies of a master's backups on two other nodes, which fetch them over the mesh: whoever has a key gets one back.

A node asks, and is never handed anything: so nobody but the master that the node itself has found, on the mesh and with
a master's certificate, can give it a file. The master learns who has which from who asks. Promises: a copy is whole and
on the disk, or not there; it never takes what the node's disk needs; what goes wrong is a counted reason.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from ipaddress import IPv6Address
from typing import Final

from hepto.api import client, routes
from hepto.api.client import Candidate, Membership
from hepto.api.exchange import Caller, CallError, Failure
from hepto.api.operators import STREAM_TYPE, Ordered, Verb, VerbHandler
from hepto.api.routes import Inside, Reply
from hepto.backup import copies, driver, schedule
from hepto.backup.copies import Arrival, Offer, Refused
from hepto.edge import files
from hepto.edge.http_server import Response
from hepto.edge.pump import pause
from hepto.errors import PeerError, UserError
from hepto.log import Log
from hepto.node import backups
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.facts import Backup
from init.contract import durable

DIRECTORY: Final = "copies"
"""Below the node's data directory."""
LOOK_SECONDS: Final = 60.0
PIECE_SECONDS: Final = 60.0
NOT_READ: Final = "backups-not-read"
UNAVAILABLE: Final = 503
_OF_THE_FILE: Final = (Refused.PLAIN, Refused.LENGTH, Refused.TOO_LARGE)
"""It would be so the next time."""
_OF_THE_DISK: Final = (Refused.NO_ROOM, Refused.NOT_WRITTEN)


def stored(directory: str) -> tuple[Backup, ...]:
    """The backups and copies on the node whose data is in `directory`, the oldest first. Raises OSError."""
    found = []
    for place in (backups.DIRECTORY, DIRECTORY):
        for name in schedule.backups(files.names(f"{directory}/{place}")):
            try:
                found.append(backups.made(f"{directory}/{place}/{name}"))
            except FileNotFoundError:
                continue  # it was one too many
    return tuple(sorted(found, key=lambda one: one.made))


class Shelf:
    """A master's part: gives its backups to nodes on the mesh. `name_of` says which node has an address there."""

    def __init__(self, board: Board, directory: str, name_of: Callable[[IPv6Address], str | None]):
        self._board = board
        self._directory = directory
        self._name_of = name_of

    def doors(self) -> dict[str, Inside]:
        """By path."""
        return {routes.BACKUPS: Inside(self._list), routes.BACKUP: Inside(self._give)}

    async def _list(self, body: bytes, peer: IPv6Address) -> Reply:
        node = self._name_of(peer)
        if node is None:
            raise PeerError(Refused.STRANGER)
        held = copies.load_names(body)
        try:
            offers = tuple(Offer(_name(one), one.size) for one in await asyncio.to_thread(self._encrypted))
        except OSError:
            return Reply(UNAVAILABLE, reason=NOT_READ)
        known = tuple(offer.name for offer in offers if offer.name in held)
        self._board.learn(copies={**self._board.facts.copies, node: known})
        return Reply(200, copies.dump_offers(offers))

    async def _give(self, body: bytes, peer: IPv6Address) -> Reply | Response:
        del peer
        names = copies.load_names(body)
        try:
            found = [one for one in await asyncio.to_thread(self._encrypted) if [_name(one)] == [*names]]
        except OSError:
            return Reply(UNAVAILABLE, reason=NOT_READ)
        return Response(200, _pieces(found[0]), STREAM_TYPE) if found else Reply(404, reason=Refused.UNKNOWN)

    def _encrypted(self) -> tuple[Backup, ...]:
        own = f"{self._directory}/{backups.DIRECTORY}/"
        return tuple(one for one in stored(self._directory) if one.encrypted and one.path.startswith(own))


class Copier:
    """Of a node that is no master: keeps copies if it is one of those that do.

    `up` are the names of the peers that the mesh reaches, `is_master` says which of them is one by its grant, `place`
    where its API is on the mesh.
    """

    def __init__(
        self,
        board: Board,
        node: Identity,
        up: Callable[[], tuple[str, ...]],
        is_master: Callable[[str], bool],
        place: Callable[[str], Candidate | None],
        membership: Callable[[], Membership],
    ):
        self.refused: Counter[str] = Counter()
        self._board = board
        self._node = node
        self._up = up
        self._is_master = is_master
        self._find = place
        self._membership = membership
        self._directory = f"{node.directory}/{DIRECTORY}"
        self._bad: frozenset[str] = frozenset()
        self._log = Log("copies")

    async def run(self) -> None:
        """Until cancelled."""
        durable.sweep(self._directory)
        while True:
            await self.look()
            await pause(LOOK_SECONDS)

    async def look(self) -> None:
        """Fetch what is missing, if this node is to have it. What goes wrong is counted, and tried again."""
        try:
            self._board.learn(copies_here=self._have())
            up = self._up()
            masters = [name for name in up if self._is_master(name)]
            others = [name for name in up if not self._is_master(name)]
            if masters and self._node.node in copies.keepers(self._board.facts.fingerprint, [*others, self._node.node]):
                await self._fetch_from(masters[0])
            self._board.learn(no_copy="")
        except PeerError as error:
            self._count(error.reason, error.detail)
        except CallError as error:
            self._count(error.failure, error.detail)
        except (UserError, OSError) as error:  # our own CA's file, our own disk
            self._count(Refused.NOT_WRITTEN, str(error))

    def _have(self) -> tuple[str, ...]:
        return tuple(name for name in schedule.backups(files.names(self._directory)) if copies.is_name(name))

    def _count(self, reason: str, detail: str) -> None:
        self.refused[str(reason)] += 1
        self._log.info("no copy", reason=str(reason), detail=detail)
        if reason in _OF_THE_DISK:
            self._board.learn(no_copy=detail)

    async def _fetch_from(self, master: str) -> None:
        place = self._find(master)
        if place is None:
            return
        body = await self._ask(place, master, self._have())
        offers = copies.load_offers(body, self._node.config.cluster, master)
        self._bad &= {offer.name for offer in offers}
        missing = [offer for offer in copies.wanted(offers, self._have()) if offer.name not in self._bad]
        for offer in missing:
            try:
                await self._fetch(place, master, offer)
            except PeerError as error:
                if error.reason in _OF_THE_FILE:
                    self._bad |= {offer.name}
                raise
            self._log.info("copied", name=offer.name, bytes=offer.size)
            for name in schedule.surplus(self._have()):
                await asyncio.to_thread(durable.remove, f"{self._directory}/{name}")
            self._board.learn(copies_here=self._have())
        if missing:
            await self._ask(place, master, self._have())  # so that the master knows

    async def _ask(self, place: Candidate, master: str, names: tuple[str, ...]) -> bytes:
        """Say what is here, and hear what there is."""
        async with self._open(place, master, routes.BACKUPS, names) as (status, pieces):
            body = bytearray()
            while (piece := await _next(pieces)) is not None:
                body += piece
                if len(body) > copies.MOST_MESSAGE:
                    raise PeerError(Refused.MALFORMED, "the answer is too long")
        if status != 200:
            raise CallError(Failure.REJECTED, f"status {status}")
        return bytes(body)

    async def _fetch(self, place: Candidate, master: str, offer: Offer) -> None:
        await asyncio.to_thread(durable.make_directory, self._directory)
        room = await asyncio.to_thread(files.space, self._directory)
        copies.check_room(offer, room.free, room.total)
        loop = asyncio.get_running_loop()
        async with self._open(place, master, routes.BACKUP, (offer.name,)) as (status, pieces):
            if status != 200:
                raise CallError(Failure.REJECTED, f"status {status}")

            def take() -> bytes | None:
                return asyncio.run_coroutine_threadsafe(_next(pieces), loop).result()

            await asyncio.to_thread(driver.receive, f"{self._directory}/{offer.name}", Arrival(offer), take)

    @asynccontextmanager
    async def _open(
        self, place: Candidate, master: str, path: str, names: tuple[str, ...]
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """The answer of that master to these names; only its certificate is believed."""
        membership = self._membership()
        async with AsyncExitStack() as stack:
            with _network():
                async with asyncio.timeout(client.SECONDS):
                    stream = await stack.enter_async_context(client.open_stream(place, None, membership))
                    if client.node_of(stream, client.MASTER_URI) != master:
                        raise CallError(Failure.CERTIFICATE, f"it is not {master}")
                    answer = await Caller(stream).open(path, copies.dump_names(names))
            yield answer


@contextmanager
def _network() -> Iterator[None]:
    """What goes wrong inside is the network's fault, or the other side's. Raises CallError."""
    try:
        yield
    except TimeoutError:
        raise CallError(Failure.SILENT) from None
    except OSError as error:
        raise CallError(Failure.CLOSED, error.strerror or "") from None


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    """Raises CallError."""
    with _network():
        async with asyncio.timeout(PIECE_SECONDS):
            return await anext(pieces, None)


# --- orders of operators


def handlers(directory: str) -> dict[Verb, VerbHandler]:
    """By verb, for the node whose data is in `directory`: any node gives back what it has."""
    return {Verb.BACKUPS: partial(_list, directory), Verb.COPY: partial(_copy, directory)}


async def _list(directory: str, arguments: tuple[str, ...], ordered: Ordered) -> object:
    del arguments, ordered
    return [plain(one) for one in await _stored(directory)]


async def _copy(directory: str, arguments: tuple[str, ...], ordered: Ordered) -> object:
    del ordered
    (name,) = arguments
    for one in await _stored(directory):
        if one.encrypted and _name(one) == name:
            return _pieces(one)
    raise UserError(
        f"there is no encrypted backup {name!r:.200} here", "“hepto backup --list” shows which node has which"
    )


async def _stored(directory: str) -> tuple[Backup, ...]:
    try:
        return await asyncio.to_thread(stored, directory)
    except OSError as error:
        raise UserError(f"the backups cannot be read: {error}", "ask another node") from None


async def _pieces(one: Backup) -> AsyncIterator[bytes]:
    """The file. A disk that fails ends the connection before the answer does."""
    try:
        async for piece in backups.pieces(one):
            yield piece
    except OSError as error:
        raise PeerError(NOT_READ, str(error)) from None


def plain(one: Backup) -> dict[str, object]:
    """As `hepto backup --list --json` has it."""
    return {"name": _name(one), "size": one.size, "made": one.made, "encrypted": one.encrypted}


def _name(one: Backup) -> str:
    return one.path.rpartition("/")[2]
