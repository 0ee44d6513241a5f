"""Backups are whole or not there; who may open them; which stay."""

import asyncio
import io
import json
import os
import stat
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from hepto import recipients
from hepto.backup import driver, schedule
from hepto.errors import ExitCode, UserError
from hepto.node import backups
from hepto.node.backups import Source
from hepto.node.board import Board
from hepto.node.facts import Backup, Clock
from hepto.pki import store
from hepto.values import Secret
from hepto.wireguard import public_key
from tests.backup.database import SNAPSHOT
from tests.backup.world import data_directory
from tests.fakes.etcd import FakeEtcd, serving

T = TypeVar("T")

KEY = Secret(bytes(range(32)))
RECIPIENT = recipients.recipient(public_key(KEY.reveal()))
NOW = datetime.now(UTC)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    directory = tmp_path / "mycluster/mymaster"
    data_directory(directory, NOW)
    return Source("mycluster", "mymaster", str(directory), (RECIPIENT,), "1.2.3")


def with_etcd(source: Source, work: Callable[[Source], Awaitable[T]], fake: FakeEtcd | None = None) -> T:
    async def story() -> T:
        async with serving(Path(source.directory), fake or FakeEtcd()) as etcd:
            return await work(replace(source, etcd=etcd.url))

    return asyncio.run(story())


def take(source: Source, now: datetime = NOW, fake: FakeEtcd | None = None) -> Backup:
    return with_etcd(source, lambda there: backups.take(there, now), fake)


def test_it_has_all_that_makes_the_cluster_and_no_leaf(source: Source) -> None:
    made = take(source)

    with Path(made.path).open("rb") as file:
        data = b"".join(driver.opened(file, (KEY,)))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        content = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr] # files
    manifest = json.loads(content.pop("manifest.json"))
    assert content.pop("etcd/snapshot.db") == SNAPSHOT
    assert set(content) == {
        *(f"pki/{name}" for name in (*store.BACKED_UP, store.REVOCATIONS)),
        "identity/identity.pem",
        "state.json",
    }
    assert content == {name: Path(source.directory, name).read_bytes() for name in content}
    assert (manifest["cluster"], manifest["node"], manifest["etcd"]) == ("mycluster", "mymaster", "3.7.3")


def test_the_file_is_private_and_says_what_it_is(source: Source) -> None:
    made = take(source)

    assert Path(made.path).name == schedule.name("mycluster", "mymaster", NOW, encrypted=True)
    assert stat.S_IMODE(os.stat(made.path).st_mode) == 0o600
    assert made == backups.made(made.path)
    assert (made.encrypted, made.made, made.size) == (True, int(NOW.timestamp()), Path(made.path).stat().st_size)


def test_without_a_recipient_it_stays_here_and_is_private(source: Source) -> None:
    made = take(replace(source, recipients=()))

    assert made.path.startswith(f"{source.directory}/backups/")
    assert not made.encrypted
    assert stat.S_IMODE(os.stat(made.path).st_mode) == 0o600
    assert Path(made.path).read_bytes()[:2] == driver.GZIP


def test_the_last_five_stay(source: Source) -> None:
    for number in range(7):
        take(source, NOW + timedelta(hours=number))

    kept = backups.kept(source.directory)
    assert [schedule.made(name) for name in kept] == [
        (NOW + timedelta(hours=number)).replace(microsecond=0) for number in range(2, 7)
    ]


@pytest.mark.parametrize(
    ("fake", "why"),
    [
        (FakeEtcd(status=503), "status 503"),
        (FakeEtcd(error="etcdserver: no leader"), "no leader"),
        (FakeEtcd(cut=True), "not HTTP|closed"),
        (FakeEtcd(snapshot=SNAPSHOT[:-1]), "damaged"),
        (FakeEtcd(snapshot=b"\1" + SNAPSHOT[1:]), "damaged"),
        (FakeEtcd(snapshot=b""), "damaged"),
    ],
    ids=["status", "error", "cut", "short", "changed", "empty"],
)
def test_what_etcd_does_not_give_whole_is_no_backup(source: Source, fake: FakeEtcd, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        take(source, NOW, fake)

    assert refused.value.code is ExitCode.UNREACHABLE
    assert os.listdir(f"{source.directory}/backups") == []


def test_no_etcd_is_said_in_two_lines(source: Source) -> None:
    with pytest.raises(UserError, match="connection refused") as refused:
        asyncio.run(backups.take(replace(source, etcd="https://[::1]:1"), NOW))

    assert "hepto logs etcd" in refused.value.hint


@pytest.mark.parametrize("name", ["pki/ca.pem", "pki/register.json", "pki/secrets-encryption.json", "state.json"])
def test_a_node_that_lacks_a_key_of_the_cluster_makes_none(source: Source, name: str) -> None:
    Path(source.directory, name).unlink()

    with pytest.raises(UserError, match="only a master"):
        take(source)
    assert backups.kept(source.directory) == ()


def test_two_at_a_time_are_not_taken(source: Source) -> None:
    async def both(there: Source) -> list[object]:
        times = (NOW, NOW + timedelta(seconds=1))
        return list(await asyncio.gather(*(backups.take(there, now) for now in times), return_exceptions=True))

    found = with_etcd(source, both)

    assert {type(one) for one in found} == {Backup, UserError}
    assert [str(one) for one in found if isinstance(one, UserError)] == ["a backup is being taken already"]


class TestScheduler:
    """By itself."""

    def test_the_newest_is_a_fact_and_what_fails_is_a_warning(self, source: Source) -> None:
        async def story() -> None:
            board = Board()
            scheduler = backups.Scheduler(board, replace(source, etcd="https://[::1]:1", recipients=()))
            board.learn(clock=Clock.SYNCHRONISED)
            await scheduler._take()
            assert "connection refused" in board.facts.no_backup
            async with serving(Path(source.directory), FakeEtcd()) as etcd:
                working = backups.Scheduler(board, replace(source, etcd=etcd.url))
                await working._take()

            assert board.facts.no_backup == ""
            assert board.facts.backup is not None
            again = Board()
            assert backups.Scheduler(again, source)._look() == backups.kept(source.directory)
            assert again.facts.backup == board.facts.backup

        asyncio.run(story())

    def test_without_a_time_nothing_is_taken(self, source: Source) -> None:
        async def work(there: Source) -> None:
            board = Board()
            board.learn(clock=Clock.FLOOR)
            await backups.Scheduler(board, there)._take()

        with_etcd(source, work)

        assert backups.kept(source.directory) == ()
