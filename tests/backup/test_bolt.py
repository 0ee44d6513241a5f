"""Keys are found in a database of a real etcd and in trees made here; damaged ones are refused, and end."""

import random

import pytest

from hepto.backup.bolt import Database
from hepto.backup.reasons import BackupError, Reason
from tests.backup import database
from tests.backup.database import branch, bucket, leaf, whole

BUCKET = (1, b"meta", bucket(3))


def test_what_a_real_etcd_has_written() -> None:
    found = Database(database.REAL)

    assert found.get(b"meta", b"consistent_index") == bytes((0, 0, 0, 0, 0, 0, 0, 7))
    assert found.get(b"meta", b"storageVersion") == b"3.7.0"
    assert [key for key, _ in found.items(b"members")] == [b"e88a4cf3a59204b"]
    assert [value[-3:] for _, value in found.items(b"key")] == 3 * [b"bar"]
    assert found.get(b"meta", b"no such key") is None
    assert found.get(b"no such bucket", b"term") is None


def test_where_a_value_is_in_the_file() -> None:
    for data in (
        bytes(database.REAL),
        bytes(whole(leaf(2, (1, b"meta", bucket(0) + leaf(0, (0, b"term", b"\0\0\0\0\0\0\0\2"))[:60])))),
    ):
        place = Database(memoryview(data)).place(b"meta", b"term")

        assert place is not None
        assert data[place : place + 8] == bytes((0, 0, 0, 0, 0, 0, 0, 2))
        assert data[place - 4 : place] == b"term"
    assert Database(database.REAL).place(b"meta", b"no such key") is None


def test_a_tree_of_many_levels() -> None:
    data = whole(
        leaf(2, BUCKET),
        branch(3, 4, 7),
        branch(4, 5, 6),
        leaf(5, (0, b"a", b"1")),
        leaf(6, (0, b"b", b"2"), (0, b"c", b"")),
        leaf(7, (0, b"d", 5000 * b"4"), more=1),
    )

    assert dict(Database(data).items(b"meta")) == {b"a": b"1", b"b": b"2", b"c": b"", b"d": 5000 * b"4"}


def test_the_newer_of_two_meta_pages_counts_if_it_is_whole() -> None:
    data = bytearray(whole(leaf(2, BUCKET), leaf(3, (0, b"a", b"new"))))
    old = database.meta(1, 5, 6, 1)
    data[database.SIZE : 2 * database.SIZE] = old
    data += leaf(4) + leaf(5, (1, b"meta", bucket(0) + leaf(0, (0, b"a", b"old"))[:100]))
    assert Database(memoryview(data)).get(b"meta", b"a") == b"new"

    data[30] ^= 1  # of the first one

    assert Database(memoryview(data)).get(b"meta", b"a") == b"old"


@pytest.mark.parametrize(
    "pages",
    [
        (leaf(2, BUCKET), branch(3, 3)),
        (leaf(2, BUCKET), branch(3, 4, 4), branch(4, 3, 3)),
        (leaf(2, BUCKET), branch(3, 99)),
        (leaf(2, BUCKET), branch(3, 0)),
        (leaf(2, BUCKET), leaf(4)),
        (leaf(2, BUCKET), database.page(3, 16, 0, b"")),
        (leaf(2, BUCKET), database.page(3, 2, 9999, b"")),
        (leaf(2, BUCKET), database.page(3, 2, 1, b"\0\0\0\0\xff\xff\xff\xff\1\0\0\0\1\0\0\0")),
        (leaf(2, (1, b"meta", b"short")), leaf(3)),
        (leaf(2, (1, b"meta", bucket(0))), leaf(3)),
        (leaf(2, BUCKET), database.page(3, 2, 0, b"", more=7)[: database.SIZE]),
    ],
)
def test_a_tree_that_leads_nowhere_or_in_circles_is_refused(pages: tuple[bytes, ...]) -> None:
    with pytest.raises(BackupError) as refused:
        list(Database(whole(*pages)).items(b"meta"))

    assert refused.value.reason is Reason.DATABASE


def test_what_is_cut_off_is_refused() -> None:
    for end in (0, 10, 100, database.SIZE, len(database.REAL) - 1):
        with pytest.raises(BackupError):
            Database(database.REAL[:end])


def test_any_change_is_an_answer_or_a_refusal() -> None:
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(database.REAL)
        for _ in range(chance.choice((1, 3, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = Database(memoryview(data))
            for name in (b"meta", b"members", b"key"):
                assert sum(1 for _ in found.items(name)) < 5000
        except BackupError as error:
            assert error.reason is Reason.DATABASE
