"""Takes backups of a master's data directory, and makes a new one of a backup.

Promises: a backup appears under its name when it is whole and on the disk; a restored directory appears when everything
in it was verified and is on the disk. Calls do file I/O and are long: not for an event loop, but for `snapshot`.
"""

import contextlib
import hashlib
import io
import mmap
import os
import shutil
import stat
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from hepto.backup import age, archive, etcd
from hepto.backup.archive import Entry, Manifest
from hepto.backup.bolt import Database
from hepto.backup.copies import Arrival
from hepto.backup.reasons import BackupError, Reason
from hepto.edge import http
from hepto.values import Secret
from init.contract import durable

SECONDS: Final = 60.0
"""For each piece of etcd's answer."""
PIECE: Final = 256 * 1024
MOST_ZEROS: Final = 3
"""Bytes of a backup's end that may be zero: one is in 256 backups, four are in none."""
GZIP: Final = b"\x1f\x8b"
ETCD: Final = "etcd"


async def snapshot(url: str, authority: str, pair: str, file: BinaryIO) -> tuple[etcd.Member, str, int]:
    """Write etcd's snapshot into `file`; who gave it, its version and revision. Raises BackupError, HttpError, OSError.

    `authority` and `pair` are files: etcd's CA, and certificate and key of a client.
    """
    tls = http.client_context(authority, pair)
    async with http.Connection(url, tls, timeout=SECONDS) as connection:
        answer = await connection.request("POST", etcd.STATUS_PATH, body=b"{}")
        if answer.status != 200:
            raise BackupError(Reason.DATABASE, f"etcd answers with status {answer.status}")
        found = etcd.read_status(answer.body)
    async with http.Connection(url, tls, timeout=SECONDS) as connection:
        await _copy(connection.stream("POST", etcd.SNAPSHOT_PATH, b"{}"), file)
    _check_digest(file)
    return found


async def _copy(answer: AsyncGenerator[bytes, None], file: BinaryIO) -> None:
    blobs = etcd.Blobs()
    async with contextlib.aclosing(answer) as pieces:
        async for piece in pieces:
            file.writelines(blobs.feed(piece))
    blobs.end()
    file.flush()


def _check_digest(file: BinaryIO) -> None:
    size = file.seek(0, os.SEEK_END) - etcd.DIGEST
    file.seek(0)
    digest, left = hashlib.sha256(), size
    while left > 0 and (piece := file.read(min(PIECE, left))):
        digest.update(piece)
        left -= len(piece)
    if size <= 0 or file.read() != digest.digest():
        raise BackupError(Reason.DATABASE, "the snapshot is damaged")


def write(
    path: str, manifest: Manifest, small: Mapping[str, bytes], snapshot_file: BinaryIO, recipients: Sequence[bytes]
) -> Manifest:
    """The backup at `path`, encrypted if there are recipients; what it says of itself. Raises OSError.

    `manifest` lists no files yet: they are those of `small`, and the snapshot.
    """
    listed = tuple(archive.entry(name, data) for name, data in small.items())
    manifest = replace(manifest, files=(*listed, _measured(snapshot_file)))
    contents = {name: iter((data,)) for name, data in small.items()}
    pieces = archive.pack(manifest, {**contents, archive.SNAPSHOT: _pieces(snapshot_file)})
    with durable.writing(path) as put:
        for piece in age.encrypt(recipients, pieces, os.urandom) if recipients else pieces:
            put(piece)
    return manifest


def _measured(file: BinaryIO) -> Entry:
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(file):
        digest.update(piece)
        size += len(piece)
    return Entry(archive.SNAPSHOT, size, digest.hexdigest())


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def receive(path: str, arrival: Arrival, take: Callable[[], bytes | None]) -> None:
    """A copy at `path`, of the pieces that `take` gives until it gives None. Raises PeerError, OSError; then no file.

    What `take` raises is passed on.
    """
    with durable.writing(path) as put:
        while (piece := take()) is not None:
            put(arrival.feed(piece))
        arrival.end()


# --- the other way


def restore(
    source: BinaryIO,
    keys: Sequence[Secret],
    directory: str,
    begin: Callable[[Manifest], str],
    check: Callable[[Manifest, str], None],
) -> Manifest:
    """Make a node's data directory of a backup. Raises BackupError, OSError, and what `begin` and `check` raise.

    `directory` is for the work, on the file system of the result: what is there is removed. `begin` says where the
    result goes, which must not be there; `check` looks at what was unpacked before it gets its name.
    """
    is_disk = stat.S_ISBLK(os.fstat(source.fileno()).st_mode)
    *others, last = ends(source, padded=is_disk)
    for end in others:
        try:
            return _restore(Part(source, end), keys, directory, begin, check)
        except BackupError as error:
            if error.reason is not Reason.PAYLOAD:
                raise
    return _restore(Part(source, last), keys, directory, begin, check)


def _restore(
    source: "Part",
    keys: Sequence[Secret],
    directory: str,
    begin: Callable[[Manifest], str],
    check: Callable[[Manifest, str], None],
) -> Manifest:
    remove(directory)
    durable.make_directory(directory)
    try:
        place = ""

        def told(manifest: Manifest) -> None:
            nonlocal place
            place = begin(manifest)

        def take(one: Entry, content: Iterator[bytes]) -> None:
            if one.name == archive.SNAPSHOT:
                _write_database(f"{directory}/{ETCD}/{etcd.DATABASE}", one.size, content)
            else:
                path = f"{directory}/{one.name}"
                _make_directories(directory, one.name)
                durable.write(path, b"".join(content))

        manifest = archive.unpack(opened(source, keys), told, take)
        _write_log(f"{directory}/{ETCD}", manifest)
        check(manifest, directory)
        durable.make_directory(os.path.dirname(place))  # noqa: PTH120 - paths are texts all through the contract
        durable.publish(directory, place)
        return manifest
    except BaseException:
        remove(directory)
        raise


def remove(directory: str) -> None:
    """What an interrupted restore has left."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


class Part(io.RawIOBase):
    """The beginning of a file."""

    def __init__(self, file: BinaryIO, end: int):
        self._file = file
        self._left = end
        file.seek(0)

    def readinto(self, buffer: Any, /) -> int:  # Any: what can be written to (typing has no name for it in 3.11)
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True


def ends(source: BinaryIO, *, padded: bool) -> tuple[int, ...]:
    """Where a backup may end: a file's end is known; on a disk zeros come behind it, and its last bytes may be some."""
    size = source.seek(0, os.SEEK_END)
    if not padded:
        return (size,)
    end, written = size, 0
    while end and not written:
        begin = max(0, end - PIECE)
        source.seek(begin)
        rest = source.read(end - begin).rstrip(b"\0")
        written = begin + len(rest) if rest else 0
        end = begin
    return tuple(range(written, min(size, written + MOST_ZEROS) + 1))


def opened(source: "Part | io.BufferedReader", keys: Sequence[Secret]) -> Iterator[bytes]:
    """The archive in a backup: a local copy is not encrypted. Raises BackupError."""
    buffered = io.BufferedReader(source, PIECE) if isinstance(source, Part) else source
    head = buffered.peek(len(GZIP))
    if head.startswith(GZIP):
        yield from iter(lambda: buffered.read(PIECE), b"")
    else:
        yield from age.decrypt([key.reveal() for key in keys], buffered)


def _write_database(path: str, size: int, content: Iterator[bytes]) -> None:
    """A snapshot without the digest behind it, which is compared."""
    _make_directories(path.removesuffix(f"/{etcd.DATABASE}"), etcd.DATABASE)
    digest, left, tail = hashlib.sha256(), size - etcd.DIGEST, b""
    with durable.writing(path) as put:
        for piece in content:
            body = piece[: max(0, left)]
            tail += piece[len(body) :]
            left -= len(body)
            digest.update(body)
            put(body)
    if tail != digest.digest():
        raise BackupError(Reason.DATABASE, "the snapshot is damaged")


def _write_log(directory: str, manifest: Manifest) -> None:
    path = Path(directory, etcd.DATABASE)
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            database = Database(view)
            at = etcd.position(database, manifest.member)
            change = etcd.later(database, manifest.revision)
            del database
        if change is not None:  # nobody has seen the file yet
            os.pwrite(file.fileno(), change[1], change[0])
            os.fsync(file.fileno())
    _make_directories(directory, etcd.LOG)
    durable.write(f"{directory}/{etcd.LOG}", etcd.log(manifest.member, at))


def _make_directories(base: str, name: str) -> None:
    """Those above `name`, each of mode 0700."""
    *above, _ = name.split("/")
    durable.make_directory(base)
    for part in above:
        base = f"{base}/{part}"
        durable.make_directory(base)
