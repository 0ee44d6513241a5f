"""etcd's database file: a bbolt B+tree, as much of it as finding a key takes. Pure; damaged files are refused.

Pages begin with id, kind, number of elements and how many pages follow that belong to it; the first two are `meta`
pages, of which the newer one that is whole counts (go.etcd.io/bbolt: internal/common/page.go, meta.go, bucket.go). All
numbers are little-endian, as on the machines that we run on; etcd's own values are big-endian.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from hepto.backup.reasons import BackupError, Reason

MAGIC: Final = 0xED0CDAED
VERSION: Final = 2
DEEPEST: Final = 40
"""Levels of pages: with two children a page more would not fit into any file."""
_PAGE: Final = struct.Struct("<QHHI")
_META: Final = struct.Struct("<IIIIQQQQQQ")
_BRANCH: Final = struct.Struct("<IIQ")
_LEAF: Final = struct.Struct("<IIII")
_BUCKET: Final = struct.Struct("<QQ")
_IS_BRANCH, _IS_LEAF = 0x01, 0x02
_IS_BUCKET: Final = 0x01
"""Flag of a leaf's element."""
_CHECKED: Final = _META.size - 8
_PAGE_SIZES: Final = tuple(1 << bits for bits in range(10, 17))


@dataclass(frozen=True)
class Meta:
    """One of the two pages that a file begins with."""

    page_size: int
    root: int
    """Page of the bucket that holds the buckets."""
    pages: int
    """The first page that is not in use yet."""
    transaction: int


class _Element(NamedTuple):
    flags: int
    key: bytes
    value: bytes
    place: int
    """Where in the file the value begins."""


class Database:
    """A database file in memory, or mapped into it."""

    def __init__(self, data: memoryview):
        """Raises BackupError if it is none, or shorter than it says."""
        self._data = data
        self.meta = _newest(data)
        if self.meta.pages * self.meta.page_size > len(data):
            _refuse("it is cut off")

    def get(self, bucket: bytes, key: bytes) -> bytes | None:
        """The value, None if there is no such bucket or key. Raises BackupError."""
        for name, value in self.items(bucket):
            if name == key:
                return value
        return None

    def items(self, bucket: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, in order. Raises BackupError."""
        for one in self._content(bucket):
            yield one.key, one.value

    def place(self, bucket: bytes, key: bytes) -> int | None:
        """Where in the file the value begins, None if there is no such bucket or key. Raises BackupError."""
        return next((one.place for one in self._content(bucket) if one.key == key), None)

    def _content(self, bucket: bytes) -> Iterator["_Element"]:
        seen: set[int] = set()
        for one in self._elements(*self._page(self.meta.root, seen), seen):
            if one.key == bucket and one.flags & _IS_BUCKET:
                if len(one.value) < _BUCKET.size:
                    _refuse("a bucket is cut off")
                root, _ = _BUCKET.unpack_from(one.value)
                # A small one is in its place.
                inside = (memoryview(one.value)[_BUCKET.size :], one.place + _BUCKET.size)
                yield from self._elements(*(self._page(root, seen) if root else inside), seen)

    def _page(self, number: int, seen: set[int]) -> tuple[memoryview, int]:
        """A page of a tree, of which none is met twice, and where it begins."""
        if not 2 <= number < self.meta.pages or number in seen:
            _refuse(f"there is no page {number} where one has to be")
        seen.add(number)
        size = self.meta.page_size
        page = self._data[number * size :]
        found, _, _, more = _PAGE.unpack_from(page)
        if found != number or number + more >= self.meta.pages:
            _refuse(f"page {number} is damaged")
        return page[: (1 + more) * size], number * size

    def _elements(self, page: memoryview, start: int, seen: set[int], depth: int = 0) -> Iterator["_Element"]:
        if depth > DEEPEST or len(page) < _PAGE.size:
            _refuse("its pages make no tree")
        _, kind, count, _ = _PAGE.unpack_from(page)
        if kind == _IS_LEAF:
            for place in _places(page, count, _LEAF.size):
                flags, offset, key_size, value_size = _LEAF.unpack_from(page, place)
                begin = place + offset
                end = begin + key_size + value_size
                if end > len(page):
                    _refuse("an element is cut off")
                key, value = bytes(page[begin : begin + key_size]), bytes(page[begin + key_size : end])
                yield _Element(flags, key, value, start + begin + key_size)
        elif kind == _IS_BRANCH:
            for place in _places(page, count, _BRANCH.size):
                _, _, number = _BRANCH.unpack_from(page, place)
                yield from self._elements(*self._page(number, seen), seen, depth + 1)
        else:
            _refuse("a page is of no kind that belongs there")


def _places(page: memoryview, count: int, size: int) -> range:
    end = _PAGE.size + count * size
    if end > len(page):
        _refuse("a page is cut off")
    return range(_PAGE.size, end, size)


def _newest(data: memoryview) -> Meta:
    first = _meta(data, 0)
    sizes = (first.page_size,) if first is not None else _PAGE_SIZES
    found = [first, *(_meta(data, size) for size in sizes)]
    whole = [meta for meta in found if meta is not None]
    if not whole:
        _refuse("it is no database of etcd")
    return max(whole, key=lambda meta: meta.transaction)


def _meta(data: memoryview, place: int) -> Meta | None:
    if len(data) < place + _PAGE.size + _META.size:
        return None
    raw = bytes(data[place + _PAGE.size : place + _PAGE.size + _META.size])
    magic, version, page_size, _, root, _, _, pages, transaction, checksum = _META.unpack(raw)
    if (magic, version) != (MAGIC, VERSION) or page_size not in _PAGE_SIZES or checksum != fnv64a(raw[:_CHECKED]):
        return None
    return Meta(page_size, root, pages, transaction)


def fnv64a(data: bytes) -> int:
    """The checksum of a meta page (FNV-1a, 64 bits)."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found


def _refuse(detail: str) -> NoReturn:
    raise BackupError(Reason.DATABASE, detail)
