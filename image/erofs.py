"""Reads the names, sizes and links of an EROFS image: bytes in, values out, neither root nor a mount needed.

Knows what mkfs.erofs writes for hepto: uncompressed directories, compact or extended inodes, no shared attributes. File
contents are not read. The layout is that of Linux' fs/erofs/erofs_fs.h.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

SUPERBLOCK = 1024
MAGIC = 0xE0F5E1E2
FLAT_PLAIN, COMPRESSED_FULL, FLAT_INLINE, COMPRESSED_COMPACT = range(4)


@dataclass(frozen=True)
class File:
    """Something in the image. `stored` is what it takes of the image, its inode not counted."""

    path: str
    mode: int
    size: int
    stored: int
    links: int
    number: int
    target: str = ""


@dataclass(frozen=True)
class _Inode:
    layout: int
    mode: int
    size: int
    union: int
    links: int
    inline: int  # where inline data begin


class Image:
    """An EROFS image in memory (or mapped)."""

    def __init__(self, data: bytes | mmap) -> None:
        self._data = data
        if len(data) < SUPERBLOCK + 128 or struct.unpack_from("<I", data, SUPERBLOCK)[0] != MAGIC:
            raise ValueError("no EROFS image")
        bits, _, root = struct.unpack_from("<BBH", data, SUPERBLOCK + 12)
        self._block: int = 1 << bits
        self._root = root
        (self._metadata,) = struct.unpack_from("<I", data, SUPERBLOCK + 40)
        self.label = bytes(data[SUPERBLOCK + 64 : SUPERBLOCK + 80]).rstrip(b"\0").decode()

    def files(self) -> Iterator[File]:
        """Everything but directories, in the order of the directories."""
        waiting = [("", self._root)]
        while waiting:
            folder, number = waiting.pop()
            for name, child in self._entries(self._inode(number)):
                path = f"{folder}{name}"
                inode = self._inode(child)
                if stat.S_ISDIR(inode.mode):
                    waiting.append((f"{path}/", child))
                    continue
                target = self._content(inode).decode() if stat.S_ISLNK(inode.mode) else ""
                yield File(path, inode.mode, inode.size, self._stored(inode), inode.links, child, target)

    def _inode(self, number: int) -> _Inode:
        start = self._metadata * self._block + number * 32
        kind, attributes, mode = struct.unpack_from("<HHH", self._data, start)
        if kind & 1:
            size, union = struct.unpack_from("<QI", self._data, start + 8)
            (links,) = struct.unpack_from("<I", self._data, start + 44)
            length = 64
        else:
            links, size = struct.unpack_from("<HI", self._data, start + 6)
            (union,) = struct.unpack_from("<I", self._data, start + 16)
            length = 32
        if attributes:
            length += 12 + 4 * (attributes - 1)
        return _Inode(kind >> 1 & 7, mode, size, union, links, start + length)

    def _stored(self, inode: _Inode) -> int:
        if inode.layout in {COMPRESSED_FULL, COMPRESSED_COMPACT}:
            return inode.union * self._block  # the union holds the number of compressed blocks
        return inode.size

    def _content(self, inode: _Inode) -> bytes:
        """The bytes of a directory or link: whole blocks, then, if the layout is inline, the tail after the inode."""
        if inode.layout == FLAT_PLAIN:
            start = inode.union * self._block
            return bytes(self._data[start : start + inode.size])
        if inode.layout == FLAT_INLINE:
            whole = inode.size // self._block * self._block
            start = inode.union * self._block
            head = bytes(self._data[start : start + whole]) if whole else b""
            return head + bytes(self._data[inode.inline : inode.inline + inode.size - whole])
        raise ValueError("a compressed directory or link")

    def _entries(self, inode: _Inode) -> Iterator[tuple[str, int]]:
        data = self._content(inode)
        for offset in range(0, len(data), self._block):
            block = data[offset : offset + self._block]
            (first,) = struct.unpack_from("<H", block, 8)  # names begin after the last entry
            heads = [struct.unpack_from("<QHBB", block, position) for position in range(0, first, 12)]
            ends = [name for _, name, _, _ in heads[1:]] + [len(block)]
            for (number, name, _, _), end in zip(heads, ends, strict=True):
                text = block[name:end].rstrip(b"\0").decode()
                if text not in {".", ".."}:
                    yield text, number
