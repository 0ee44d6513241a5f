"""Backups of a master: taken by schedule, by `hepto backup` on the node, and by an operator's order.

Promises: two at a time are never taken; what could not be taken leaves nothing behind, and the ones before stay. No key
leaves the machine but encrypted to the recipients of `hepto.backup-to`.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hepto import recipients
from hepto.backup import driver, schedule
from hepto.backup.archive import Manifest
from hepto.backup.reasons import BackupError
from hepto.edge import files
from hepto.edge.http import HttpError
from hepto.edge.pump import pause
from hepto.errors import ExitCode, UserError
from hepto.kube.etcd import CLIENT_URL
from hepto.log import Log
from hepto.node.board import Board
from hepto.node.desired import Identity
from hepto.node.facts import Backup, Clock
from hepto.node.identity import STATE
from hepto.node.machine_facts import image
from hepto.pki import store, verify
from init.contract import durable

DIRECTORY: Final = "backups"
"""Below the node's data directory."""
ETCD: Final = "etcd"
FIRST_SECONDS: Final = 900.0
"""After the agent's start: until then everything else wants the processor."""
LOOK_SECONDS: Final = 60.0
GOOD_CLOCKS: Final = (Clock.PLAUSIBLE, Clock.PEERS, Clock.SYNCHRONISED)
PIECE: Final = 256 * 1024
MASTER_ONLY: Final = "only a master has what a backup is made of"


@dataclass(frozen=True)
class Source:
    """Whose backup it is, and for whom."""

    cluster: str
    node: str
    directory: str
    """`<data>/<cluster>/<node>`."""
    recipients: tuple[str, ...]
    hepto: str
    """Version."""
    etcd: str = CLIENT_URL


def source(node: Identity) -> Source:
    """Of this node."""
    return Source(node.config.cluster, node.node, node.directory, node.config.backup_to, image().version)


def kept(directory: str) -> tuple[str, ...]:
    """Names of the backups of the node whose data is in `directory`, the oldest first."""
    return schedule.backups(files.names(f"{directory}/{DIRECTORY}"))


async def take(source: Source, now: datetime) -> Backup:
    """Take one, and remove those that are too many. Raises UserError, OSError."""
    place = f"{source.directory}/{DIRECTORY}"
    durable.make_directory(place)
    small = await asyncio.to_thread(_small, source.directory)
    try:
        fingerprint = verify.fingerprint(store.load_certificate(small["pki/ca.crt"]))
    except store.UnreadableError:
        raise UserError(f"{source.directory}/pki/ca.crt is damaged", "restore the master from a backup") from None
    with _alone(place), files.unnamed(place) as snapshot:
        durable.sweep(place)
        pki = f"{source.directory}/pki"
        try:
            member, version, revision = await driver.snapshot(
                source.etcd, f"{pki}/etcd-ca.crt", f"{pki}/apiserver-etcd-client.pem", snapshot
            )
        except (BackupError, HttpError) as error:
            what = f"etcd gives no snapshot: {error}"
            raise UserError(what, "look at it with “hepto logs etcd”, and say it again", ExitCode.UNREACHABLE) from None
        seconds = int(now.timestamp())
        manifest = Manifest(
            source.cluster, source.node, fingerprint, seconds, source.hepto, version, member, revision, ()
        )
        name = schedule.name(source.cluster, source.node, now, encrypted=bool(source.recipients))
        path, keys = f"{place}/{name}", [recipients.public_key(text) for text in source.recipients]
        await asyncio.to_thread(driver.write, path, manifest, small, snapshot, keys)
        for old in schedule.surplus(files.names(place)):
            durable.remove(f"{place}/{old}")
    return made(path)


def made(path: str) -> Backup:
    """What there is to say of a backup that is there. Raises OSError."""
    when = schedule.made(Path(path).name)
    return Backup(path, os.stat(path).st_size, int(when.timestamp()) if when else 0, path.endswith(schedule.ENCRYPTED))  # noqa: PTH116


async def pieces(one: Backup) -> AsyncIterator[bytes]:
    """What is in the file. Raises OSError."""
    with await asyncio.to_thread(Path(one.path).open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


class Scheduler:
    """Takes them twice a day. What goes wrong is a warning in the status: the cluster runs without a backup, too."""

    def __init__(self, board: Board, source: Source):
        self._board = board
        self._source = source
        self._log = Log("backup")

    async def run(self) -> None:
        """Until cancelled."""
        started = self._board.now()
        while True:
            names = self._look()
            if self._board.now() - started >= FIRST_SECONDS and not schedule.pause(names, _now()):
                await self._board.service_ready(ETCD)
                await self._take()
            await pause(LOOK_SECONDS)

    def _look(self) -> tuple[str, ...]:
        """The names that there are; others take backups as well."""
        try:
            names = kept(self._source.directory)
            if names:
                self._board.learn(backup=made(f"{self._source.directory}/{DIRECTORY}/{names[-1]}"))
        except OSError as error:
            self._fail(error)
            return ()
        return names

    async def _take(self) -> None:
        if self._board.facts.clock not in GOOD_CLOCKS:
            return  # it would be called by a wrong time, and never be the oldest
        try:
            found = await take(self._source, _now())
        except (UserError, OSError) as error:
            self._fail(error)
        else:
            self._board.learn(backup=found, no_backup="")
            self._log.info("taken", path=found.path, bytes=found.size)

    def _fail(self, error: Exception) -> None:
        if str(error) != self._board.facts.no_backup:
            self._log.warning("no backup was taken", error=error)
        self._board.learn(no_backup=str(error))


def _now() -> datetime:
    return datetime.now(UTC)


def _small(directory: str) -> dict[str, bytes]:
    """The files beside etcd's. Raises UserError if one is missing, OSError."""
    wanted = [(f"pki/{name}", True) for name in store.BACKED_UP]
    wanted += [(f"pki/{name}", False) for name in store.BACKED_UP_IF_THERE]
    wanted += [(f"identity/{store.IDENTITY}", False), (STATE, True)]
    found = {}
    for name, needed in wanted:
        data = files.read(f"{directory}/{name}")
        if data is not None:
            found[name] = data
        elif needed:
            what = f"{directory}/{name} is not there: {MASTER_ONLY}"
            raise UserError(what, "ask the cluster's master, when its status says that it is ready")
    return found


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Raises UserError while another process takes a backup."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("a backup is being taken already", "wait until that is done") from None
        yield
    finally:
        os.close(descriptor)
