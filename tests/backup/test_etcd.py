"""What etcd says and what it begins with, compared with what a real one has said and written."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.backup import etcd
from hepto.backup.bolt import Database
from hepto.backup.etcd import Blobs, Member, Position
from hepto.backup.reasons import BackupError
from hepto.kube import etcd_log
from tests.backup import database
from tests.backup.database import bucket, leaf, whole

MEMBER = Member(1047268123307745355, 256858147113938919)


VECTORS = Path(__file__).parent.parent / "vectors"


def numbers_of(log: bytes) -> tuple[int, int]:
    """The numbers in the metadata of a log, the second record."""
    place = log.index(b"\x1a", 24) + 2
    found = []
    for field in (0x08, 0x10):
        assert log[place] == field
        value = shift = 0
        place += 1
        while True:
            value |= (log[place] & 0x7F) << shift
            shift += 7
            place += 1
            if log[place - 1] < 0x80:
                break
        found.append(value)
    return found[0], found[1]


def line(blob: bytes) -> bytes:
    return json.dumps({"result": {"blob": base64.b64encode(blob).decode()}}).encode() + b"\n"


class TestBlobs:
    """The gateway's answer."""

    @given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
    def test_pieces_come_out_however_they_are_cut(self, blobs: list[bytes], size: int) -> None:
        data = b"".join(map(line, blobs))
        reader = Blobs()
        found = [blob for place in range(0, len(data), size) for blob in reader.feed(data[place : place + size])]
        reader.end()

        assert found == blobs

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b'{"error":{"code":14,"message":"etcdserver: no leader"}}\n', "no leader"),
            (b'{"result":{"blob":"no base64!"}}\n', "not base64"),
            (b"<html>\n", "not JSON"),
            (b"[1]\n", "no snapshot"),
            (bytes(etcd.MOST_LINE + 1), "no lines"),
        ],
    )
    def test_what_is_no_piece_is_refused(self, data: bytes, why: str) -> None:
        with pytest.raises(BackupError, match=why):
            list(Blobs().feed(data))

    def test_half_a_line_is_missing_the_other_half(self) -> None:
        reader = Blobs()
        assert list(reader.feed(line(b"one")[:-5])) == []
        with pytest.raises(BackupError, match="cut off"):
            reader.end()


class TestStatus:
    """Who etcd is."""

    def test_a_real_answer(self) -> None:
        # etcd 3.7.3's, shortened
        body = b'{"header":{"cluster_id":"256858147113938919","member_id":"1047268123307745355","revision":"4",\
            "raft_term":"2"},"version":"3.7.3","dbSize":"20480"}'

        assert etcd.read_status(body) == (MEMBER, "3.7.3", 4)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"header":{"member_id":"x"}}', b"[" * 100_000])
    def test_what_is_none_is_refused(self, body: bytes) -> None:
        with pytest.raises(BackupError, match="who it is"):
            etcd.read_status(body)


class TestPosition:
    """What the database says of itself."""

    def test_that_of_a_real_one(self) -> None:
        assert etcd.position(Database(database.REAL), MEMBER) == Position(7, 2)

    def test_another_member_is_refused(self) -> None:
        with pytest.raises(BackupError, match="other members"):
            etcd.position(Database(database.REAL), Member(1, 1))


def compacted(value: bytes) -> Database:
    """A database that has scheduled a compaction."""
    pages = (leaf(2, (1, b"meta", bucket(3))), leaf(3, (0, b"a", b"1"), (0, etcd.COMPACTION, value)))
    return Database(whole(*pages))


class TestLater:
    """A revision that nobody has seen."""

    @pytest.mark.parametrize(("before", "revision", "after"), [(20, 51, 51), (51, 20, 51), (0, 0, 0)])
    def test_it_is_behind_all_that_are_known(self, before: int, revision: int, after: int) -> None:
        old = before.to_bytes(8, "big") + b"_" + bytes(8)
        database = compacted(old)

        found = etcd.later(database, revision)

        assert found is not None
        place, new = found
        assert bytes(database._data[place : place + len(old)]) == old
        assert new == (after + etcd.GAP).to_bytes(8, "big") + b"_" + bytes(8)

    def test_a_database_that_was_never_compacted_stays_as_it_is(self) -> None:
        assert etcd.later(Database(database.REAL), 4) is None

    @pytest.mark.parametrize(("value", "revision"), [(b"", 1), (bytes(16), 1), (bytes(17), 1), (None, 1 << 62)])
    def test_what_is_no_revision_is_refused(self, value: bytes | None, revision: int) -> None:
        with pytest.raises(BackupError, match="of no revision"):
            etcd.later(compacted(bytes(8) + b"_" + bytes(8) if value is None else value), revision)


class TestLog:
    """The write-ahead log."""

    def test_it_begins_as_a_real_one_does(self) -> None:
        """What comes then tests/backup/test_real_etcd.py shows: one is started with it."""
        real = (VECTORS / "etcd-begun.wal").read_bytes()
        numbers = etcd.Member(*numbers_of(real))
        beginning = real[: real.index(b"\x08\x05") + 16]  # the third record: the snapshot that is none

        assert etcd.log(numbers, Position(7, 2)).startswith(beginning)
        assert len(beginning) > 64

    def test_the_checksum_is_castagnoli_s(self) -> None:
        assert etcd.crc32c(b"123456789") == 0xE3069283  # the catalogue's check value
        assert etcd.crc32c(b"6789", etcd.crc32c(b"12345")) == 0xE3069283

    @given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(1, 2**64 - 1), st.integers(1, 2**63))
    def test_records_follow_each_other(self, member: int, cluster: int, index: int, term: int) -> None:
        data = etcd.log(Member(member, cluster), Position(index, term))
        place = records = 0
        while place < len(data):
            length = int.from_bytes(data[place : place + 8], "little")
            size, padding = length & ((1 << 56) - 1), length >> 56 & 7
            place += 8 + size + padding
            assert place % 8 == 0
            records += 1

        assert (records, place) == (5, len(data))

    def test_it_is_not_taken_for_one_that_was_cut_off_while_it_was_made(self) -> None:
        assert not etcd_log.is_unborn(etcd.log(MEMBER, Position(7, 2)))
        assert not etcd_log.is_unborn(etcd.log(MEMBER, Position(7, 2)) + bytes(100))
