"""A database of etcd, and one that is made here with as many levels as wanted."""

import struct
import zlib
from pathlib import Path

from hepto.backup import bolt

SNAPSHOT = zlib.decompress((Path(__file__).parent.parent / "vectors/etcd-snapshot.zlib").read_bytes())
"""As a real etcd has sent it: a database, and its SHA-256."""
REAL = memoryview(SNAPSHOT)[:-32]

SIZE = 4096


def meta(number: int, root: int, pages: int, transaction: int) -> bytes:
    """A meta page."""
    raw = struct.pack("<IIIIQQQQQ", bolt.MAGIC, bolt.VERSION, SIZE, 0, root, 0, 2**64 - 1, pages, transaction)
    return page(number, 4, 0, raw + struct.pack("<Q", bolt.fnv64a(raw)))


def page(number: int, kind: int, count: int, content: bytes, more: int = 0) -> bytes:
    """A page, filled up."""
    return (struct.pack("<QHHI", number, kind, count, more) + content).ljust(SIZE * (1 + more), b"\0")


def leaf(number: int, *elements: tuple[int, bytes, bytes], more: int = 0) -> bytes:
    """A page of keys and values, each with its flags."""
    heads, data = b"", b""
    for place, (flags, key, value) in enumerate(elements):
        offset = 16 * (len(elements) - place) + len(data)
        heads += struct.pack("<IIII", flags, offset, len(key), len(value))
        data += key + value
    return page(number, 2, len(elements), heads + data, more)


def branch(number: int, *children: int) -> bytes:
    """A page that leads to others."""
    heads = b"".join(
        struct.pack("<IIQ", 16 * (len(children) - place), 0, child) for place, child in enumerate(children)
    )
    return page(number, 1, len(children), heads)


def bucket(root: int) -> bytes:
    """The value that a bucket is, in the leaf of the root."""
    return struct.pack("<QQ", root, 0)


def whole(*pages: bytes, root: int = 2) -> memoryview:
    """A file of the two meta pages and these."""
    data = b"".join(pages)
    count = 2 + len(data) // SIZE
    return memoryview(meta(0, root, count, 2) + meta(1, root, count, 1) + data)
