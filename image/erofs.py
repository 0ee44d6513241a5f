"""Reads the names, sizes and links of an EROFS image: bytes in, values out, neither root nor a mount needed.

Knows what mkfs.erofs writes for hepto: uncompressed directories, compact or extended inodes, no shared attributes, no
fragments. File contents are not read. The layout is that of Linux' fs/erofs/erofs_fs.h, that of the indexes of
compressed files in fs/erofs/zmap.c.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

SUPERBLOCK = 1024
MAGIC = 0xE0F5E1E2
FLAT_PLAIN, COMPRESSED_FULL, FLAT_INLINE, COMPRESSED_COMPACT = range(4)
MAP_HEADER = struct.Struct("<HHHBB")
"""struct z_erofs_map_header: reserved, bytes of the inline tail, advice, algorithms, size of a logical cluster."""
TWO_BYTES, INLINE_TAIL = 1, 8
"""Advice: most of the index takes 2 bytes a cluster; the file's compressed end follows the index."""


@dataclass(frozen=True)
class File:
    """Something in the image. `stored` are the bytes that its content takes, `overhead` those of inode and index."""

    path: str
    mode: int
    size: int
    stored: int
    links: int
    number: int
    target: str = ""
    overhead: int = 0


@dataclass(frozen=True)
class _Inode:
    layout: int
    mode: int
    size: int
    union: int
    links: int
    start: int
    inline: int  # where inline data or the index begin


def index_size(start: int, count: int, *, two_bytes: bool) -> int:
    """The bytes of a compact index of `count` clusters that begins at `start`: 4 bytes a cluster up to where 32 bytes
    are aligned, then 2 for each of whole packs of 16, then 4 again; the last pack of 8 bytes may be half used.
    """
    first = min((32 - start % 32) // 4 & 7, count)
    packed = (count - first) // 16 * 16 if two_bytes else 0
    return first * 4 + packed * 2 + -(-(count - first - packed) // 2) * 8


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
        return (file for file in self.everything() if not stat.S_ISDIR(file.mode))

    def everything(self) -> Iterator[File]:
        """Directories too; the root's path is ""."""
        waiting = [("", self._root)]
        while waiting:
            folder, number = waiting.pop()
            directory = self._inode(number)
            yield self._file(folder.rstrip("/"), number, directory)
            for name, child in self._entries(directory):
                path = f"{folder}{name}"
                inode = self._inode(child)
                if stat.S_ISDIR(inode.mode):
                    waiting.append((f"{path}/", child))
                else:
                    yield self._file(path, child, inode)

    def _file(self, path: str, number: int, inode: _Inode) -> File:
        target = self._content(inode).decode() if stat.S_ISLNK(inode.mode) else ""
        stored, overhead = self._taken(inode)
        return File(path, inode.mode, inode.size, stored, inode.links, number, target, overhead)

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
        return _Inode(kind >> 1 & 7, mode, size, union, links, start, start + length)

    def _taken(self, inode: _Inode) -> tuple[int, int]:
        """The bytes of the content, and those of inode and index."""
        if inode.layout in {COMPRESSED_FULL, COMPRESSED_COMPACT}:
            header = (inode.inline + 7) // 8 * 8
            _, tail, advice, _, clusters = MAP_HEADER.unpack_from(self._data, header)
            size = self._block << (clusters & 7)
            count = -(-inode.size // size)
            start = header + MAP_HEADER.size
            if inode.layout == COMPRESSED_FULL:
                end = start + 8 + count * 8  # after a header of which half is reserved
            else:
                end = start + index_size(start, count, two_bytes=bool(advice & TWO_BYTES))
            # The union holds the number of compressed blocks; with an inline tail the end of the file is not in them.
            return inode.union * self._block + (tail if advice & INLINE_TAIL else 0), end - inode.start
        overhead = inode.inline - inode.start
        if inode.layout == FLAT_PLAIN and (stat.S_ISREG(inode.mode) or stat.S_ISDIR(inode.mode)):
            return -(-inode.size // self._block) * self._block, overhead
        return (inode.size if inode.layout == FLAT_INLINE else 0), overhead

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
