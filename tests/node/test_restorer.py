"""A backup becomes the same master on a blank disk, and nothing else does."""

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto import recipients
from hepto.backup import age, bolt, driver, etcd
from hepto.backup.archive import Manifest
from hepto.config import Config, resolve
from hepto.errors import UserError
from hepto.given import Given, Source, SourceKind
from hepto.node import backups, restorer
from hepto.pki.driver import Pki
from hepto.values import Secret
from hepto.wireguard import public_key
from tests.backup.database import REAL, SNAPSHOT
from tests.backup.world import data_directory
from tests.fakes.etcd import FakeEtcd, serving
from tests.pki.example import MASTER, NOW

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
REAL_NOW = datetime.now(UTC)
"""TLS looks at the real clock."""
CMDLINE = Source(SourceKind.CMDLINE, "here")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the master that is no more."""
    directory = tmp_path_factory.mktemp("old") / "mycluster/mymaster"
    data_directory(directory, REAL_NOW)
    return directory


def take(old: Path, *keys: bytes, fake: FakeEtcd | None = None) -> bytes:
    async def story() -> bytes:
        async with serving(old, fake or FakeEtcd()) as found:
            names = tuple(recipients.recipient(public_key(key)) for key in keys)
            source = backups.Source("mycluster", "mymaster", str(old), names, "1.2.3", found.url)
            return Path((await backups.take(source, NOW)).path).read_bytes()

    return asyncio.run(story())


@pytest.fixture(scope="module")
def backup(old: Path) -> bytes:
    return take(old, KEY)


def config(tmp_path: Path, **given: str) -> Config:
    """Of a new machine that is to become the old one."""
    values = {
        "cluster": "mycluster",
        "data": str(tmp_path / "data"),
        "restore": str(tmp_path / "backup"),
        "restore_key": recipients.secret_text(KEY),
        **given,
    }
    return resolve(
        [Given(name, value.encode(), CMDLINE) for name, value in values.items() if value], key_elsewhere=True
    ).require()


def restore(tmp_path: Path, data: bytes, **given: str) -> restorer.Restored | None:
    (tmp_path / "backup").write_bytes(data)
    return restorer.restore(config(tmp_path, **given))


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_master_is_the_same_again(tmp_path: Path, old: Path, backup: bytes) -> None:
    found = restore(tmp_path, backup)

    new = tmp_path / "data/mycluster/mymaster"
    before, after = Pki(str(old), MASTER), Pki(str(new), MASTER)
    assert found == restorer.Restored("mymaster", before.fingerprint, int(NOW.timestamp()))
    assert after.fingerprint == before.fingerprint
    assert after.identity().private_bytes_raw() == before.identity().private_bytes_raw()
    after.establish(REAL_NOW, plausible=True)  # no part of the cluster is missing
    assert content(new)["etcd/member/snap/db"] == REAL
    numbers = etcd.Member(1047268123307745355, 256858147113938919)
    at = etcd.position(bolt.Database(REAL), numbers)
    assert content(new)[f"etcd/{etcd.LOG}"] == etcd.log(numbers, at)
    assert not (tmp_path / "data/.restore").exists()


def test_all_of_it_is_private(tmp_path: Path, backup: bytes) -> None:
    before = os.umask(0)
    try:
        restore(tmp_path, backup)
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data/mycluster/mymaster").rglob("*")}
    assert modes <= {0o600, 0o700}
    assert stat.S_IMODE((tmp_path / "data/mycluster/mymaster").stat().st_mode) == 0o700


def test_the_next_boots_go_on_whatever_became_of_the_file(tmp_path: Path, backup: bytes) -> None:
    restore(tmp_path, backup)
    before = content(tmp_path / "data")

    assert restore(tmp_path, b"something else") is None
    (tmp_path / "backup").unlink()
    assert restorer.restore(config(tmp_path)) is None
    assert content(tmp_path / "data") == before


def test_a_local_copy_needs_no_key(tmp_path: Path, old: Path) -> None:
    assert restore(tmp_path, take(old), restore_key="") is not None


@pytest.mark.parametrize("name", ["mymaster", "another"])
@pytest.mark.parametrize("mark", ["state.json", "pki/ca.crt", "etcd/member/snap/db"])
def test_a_disk_that_has_the_cluster_is_left_alone(tmp_path: Path, backup: bytes, name: str, mark: str) -> None:
    path = tmp_path / "data/mycluster" / name / mark
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    before = content(tmp_path / "data")

    with pytest.raises(UserError, match=f"has a cluster mycluster already .node {name}."):
        restore(tmp_path, backup)

    assert content(tmp_path / "data") == before


BAD: dict[str, tuple[Callable[[bytes], bytes], dict[str, str], str]] = {
    "wrong key": (lambda data: data, {"restore_key": recipients.secret_text(OTHER)}, "not encrypted to this key"),
    "no key": (lambda data: data, {"restore_key": ""}, "not encrypted to this key"),
    "cut off": (lambda data: data[:-1], {}, "changed or cut off"),
    "changed": (lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:], {}, "changed or cut off"),
    "head changed": (lambda data: data.replace(b"\n--- ", b"\n-- ", 1), {}, "head is damaged|head"),
    "nothing": (lambda data: b"", {}, "no file that age|cut off or damaged"),
    "something else": (lambda data: b"PK\3\4" + data, {}, "no file that age|cut off or damaged"),
    "not an archive": (
        lambda data: b"".join(age.encrypt([public_key(KEY)], [b"hello"], os.urandom)),
        {},
        "not compressed as a backup",
    ),
    "another cluster": (lambda data: data, {"cluster": "other"}, "of cluster mycluster, and hepto.cluster is other"),
    "another name": (lambda data: data, {"name": "two"}, "of node mymaster, and hepto.name is two"),
    "another CA": (lambda data: data, {"ca": 64 * "0"}, "not that of hepto.ca"),
    "another role": (lambda data: data, {"role": "master"}, "role full, and hepto.role is master"),
}


@pytest.mark.parametrize(("change", "given", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_restored_is_named_and_leaves_nothing(
    tmp_path: Path, backup: bytes, change: Callable[[bytes], bytes], given: dict[str, str], why: str
) -> None:
    with pytest.raises(UserError, match=why) as refused:
        restore(tmp_path, change(backup), **given)

    assert refused.value.hint
    assert content(tmp_path / "data") == {}
    assert not list((tmp_path / "data").glob("*/*"))


def test_a_missing_key_is_asked_for(tmp_path: Path, backup: bytes) -> None:
    for given, hint in (("", "give its key"), (recipients.secret_text(OTHER), "belongs to hepto.backup-to")):
        with pytest.raises(UserError) as refused:
            restore(tmp_path, backup, restore_key=given)
        assert hint in refused.value.hint


def test_a_file_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no .*/backup") as refused:
        restorer.restore(config(tmp_path))

    assert "looked for again" in refused.value.hint
    with pytest.raises(UserError, match="there is no /run/hepto/esp/demo.age"):
        restorer.restore(config(tmp_path, restore="demo.age"))


@pytest.mark.parametrize(
    "database", [bytes(8192), REAL[:4096], bytes(REAL).replace(b"e88a4cf3a59204b", b"e88a4cf3a59204c")]
)
def test_a_database_that_etcd_could_not_use_is_refused(tmp_path: Path, old: Path, database: bytes) -> None:
    data = take(old, KEY, fake=FakeEtcd(snapshot=bytes(database) + hashlib.sha256(database).digest()))

    with pytest.raises(UserError, match="cannot be restored"):
        restore(tmp_path, data)
    assert content(tmp_path / "data") == {}


@pytest.mark.parametrize(
    "names",
    [("pki/ca.pem",), ("pki/ca.crt",), ("pki/etcd-ca.pem",), ("pki/register.json",), ("pki/service-account.pem",)],
)
def test_a_backup_that_was_put_together_is_refused(tmp_path: Path, old: Path, names: tuple[str, ...]) -> None:
    """Whoever knows the recipient can encrypt to it: what is in it has to fit together."""
    other = tmp_path / "other/mycluster/mymaster"
    data_directory(other)
    small = backups._small(str(old)) | {name: (other / name).read_bytes() for name in names}
    if names == ("pki/register.json",):
        small["pki/register.json"] = b"{}"
    if names == ("pki/service-account.pem",):
        small["pki/service-account.pem"] = b"no key"
    numbers = etcd.Member(1047268123307745355, 256858147113938919)
    manifest = Manifest("mycluster", "mymaster", Pki(str(old), MASTER).fingerprint, 1, "1", "3", numbers, 1, ())
    snapshot = tmp_path / "snapshot"
    snapshot.write_bytes(SNAPSHOT)
    with snapshot.open("rb") as file:
        driver.write(str(tmp_path / "backup"), manifest, small, file, [public_key(KEY)])

    with pytest.raises(
        UserError, match="cannot be restored: (it has two CAs|a key in it|the register|its register|its CA)"
    ):
        restorer.restore(config(tmp_path))
    assert content(tmp_path / "data") == {}


def test_what_an_interrupted_restore_has_left_is_removed(tmp_path: Path, backup: bytes) -> None:
    rest = tmp_path / "data/.restore/pki/ca.pem"
    rest.parent.mkdir(parents=True)
    rest.write_text("half a key")

    assert restore(tmp_path, backup) is not None
    assert not (tmp_path / "data/.restore").exists()


def test_only_a_master_is_restored(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a backup is of a master"):
        config(tmp_path, role="node")


def test_the_key_is_no_part_of_what_is_shown(tmp_path: Path) -> None:
    given = config(tmp_path)

    assert given.shown()["restore-key"] == "(secret)"
    assert recipients.SECRET_PREFIX not in repr(given)
    assert replace(given).restore_key == Secret(KEY)
