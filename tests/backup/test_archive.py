"""What was packed comes out; what was changed, cut off, added or left out does not pass."""

import gzip
import io
import itertools
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.backup import archive
from hepto.backup.reasons import BackupError, Reason
from tests.backup.example import BARE, FILES, Taker, manifest, packed


@given(st.binary(max_size=2000), st.binary(min_size=1, max_size=2000), st.integers(1, 700))
def test_what_was_packed_comes_out_however_it_is_cut(small: bytes, large: bytes, size: int) -> None:
    files = {"pki/ca.pem": small, archive.SNAPSHOT: large}
    data = packed(files)
    taker = Taker()

    found = taker.unpack([data[place : place + size] for place in range(0, len(data), size)])

    assert (found, taker.files, taker.begun) == (manifest(files), files, [found])


def test_tar_opens_it_as_well() -> None:
    with tarfile.open(fileobj=io.BytesIO(packed())) as tar:
        names = tar.getnames()
        found = {name: tar.extractfile(name).read() for name in names}  # type: ignore[union-attr] # they are files

    assert names == [archive.MANIFEST, *FILES]
    assert {name: data for name, data in found.items() if name in FILES} == FILES
    assert json.loads(found[archive.MANIFEST])["format"] == archive.FORMAT


def test_much_that_compresses_well_is_unpacked_a_little_at_a_time() -> None:
    class Counting(Taker):
        longest = 0

        def take(self, one: archive.Entry, content: Any) -> None:
            for piece in content:
                self.longest = max(self.longest, len(piece))

    taker = Counting()
    taker.unpack([packed({archive.SNAPSHOT: bytes(20 << 20)})])

    assert 0 < taker.longest <= 256 * 1024


def test_a_file_that_nobody_reads_is_verified_all_the_same() -> None:
    listed = replace(BARE, files=(archive.entry(archive.SNAPSHOT, b"one"),))
    data = packed({archive.SNAPSHOT: b"two"}, listed)

    with pytest.raises(BackupError, match="was changed"):
        archive.unpack([data], lambda _: None, lambda *_: None)


def test_any_byte_that_is_changed_or_missing_is_noticed() -> None:
    """Beneath the encryption: a local copy has none. Bytes of gzip's own head that say nothing do not count."""
    raw = gzip.decompress(packed({archive.SNAPSHOT: b"abc", "state.json": b"{}"}))
    meaning = [place for place in range(0, len(raw), 7) if raw[place]]
    for place in meaning:
        changed = bytearray(raw)
        changed[place] ^= 0x01
        taker = Taker()
        try:
            found = taker.unpack([gzip.compress(bytes(changed), 1)])
        except BackupError as error:
            assert error.reason is Reason.ARCHIVE
        else:  # owner, mode, time of a header, a text of the manifest: what is of use is as it was
            assert taker.files == {archive.SNAPSHOT: b"abc", "state.json": b"{}"}
            assert found.files == manifest({archive.SNAPSHOT: b"abc", "state.json": b"{}"}).files
    for end in range(0, len(raw), 97):
        with pytest.raises(BackupError):
            Taker().unpack([gzip.compress(raw[:end], 1)])


def test_nothing_may_follow() -> None:
    raw = gzip.decompress(packed())

    for data in (
        packed() + b"\0",
        packed() + packed(),
        gzip.compress(raw + bytes(512)),
        gzip.compress(raw[:-1] + b"1"),
    ):
        with pytest.raises(BackupError) as refused:
            Taker().unpack([data])
        assert refused.value.reason is Reason.ARCHIVE


def test_what_is_cut_off_is_noticed() -> None:
    data = packed()
    for end in range(len(data)):
        with pytest.raises(BackupError):
            Taker().unpack([data[:end]])


BAD: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda value: value.update(format=2),
    "no format": lambda value: value.pop("format"),
    "a path upwards": lambda value: value["files"][0].update(name="../pki/ca.crt"),
    "an absolute path": lambda value: value["files"][0].update(name="/etc/passwd"),
    "a file of no backup": lambda value: value["files"][0].update(name="pki/../../x"),
    "the same twice": lambda value: value["files"].append(value["files"][0]),
    "too many": lambda value: value["files"].extend(
        {"name": f"pki/a{number}", "size": 0, "sha256": 64 * "0"} for number in range(99)
    ),
    "no snapshot": lambda value: value["files"].pop(),
    "a huge file": lambda value: value["files"][0].update(size=1 << 40),
    "a size below nothing": lambda value: value["files"][0].update(size=-1),
    "a size that is true": lambda value: value["files"][0].update(size=True),
    "no digest": lambda value: value["files"][0].update(sha256="0"),
    "a cluster that is a path": lambda value: value.update(cluster="../x"),
    "a node that is a path": lambda value: value.update(node=".."),
    "no fingerprint": lambda value: value.update(fingerprint="a"),
    "a list for a list of files": lambda value: value.update(files=[[]]),
    "no member": lambda value: value.update(member=None),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_manifest_that_cannot_be_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(archive.dump(manifest()))
    assert archive.load(json.dumps(value).encode()) == manifest()

    change(value)

    with pytest.raises(BackupError) as refused:
        archive.load(json.dumps(value).encode())
    assert refused.value.reason is Reason.ARCHIVE


@given(st.binary(max_size=300))
def test_any_bytes_are_a_backup_or_refused(data: bytes) -> None:
    for pieces in ([data], [gzip.compress(data)]):
        with pytest.raises(BackupError):
            Taker().unpack(pieces)


def test_names_are_those_of_a_data_directory() -> None:
    good = (
        "state.json",
        "identity/identity.pem",
        "pki/ca.crt",
        "pki/front-proxy-ca.pem",
        "pki/grant",
        archive.SNAPSHOT,
    )
    bad = (
        "",
        "pki/",
        "pki/.x",
        "pki/a/b",
        "/state.json",
        "state.json/..",
        "etcd/member/wal/0",
        "pki/ca.crt\n",
        "PKI/ca",
    )

    assert [bool(archive.FILE.fullmatch(name)) for name in itertools.chain(good, bad)] == [True] * 6 + [False] * 9
