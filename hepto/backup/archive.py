"""What is in a backup: a compressed tar whose first file says what the others are. Pure; whoever reads it gets pieces.

`manifest.json` has the version of this format, whose cluster it is, and size and SHA-256 of every file behind it. Only
files that a backup can have are taken, in the order of the manifest and nothing else: so a path leads nowhere else, and
what was changed is noticed before it is of use. Nothing is larger than the manifest says, whatever it is packed into.
"""

import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final, NoReturn

from hepto.backup.etcd import Member
from hepto.backup.reasons import BackupError, Reason

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SNAPSHOT: Final = "etcd/snapshot.db"
FILE: Final = re.compile(r"state\.json|identity/identity\.pem|pki/[a-z][a-z0-9-]*(\.[a-z]+)?|etcd/snapshot\.db")
"""Names of what can be in it, below a node's data directory."""
MOST_MANIFEST: Final = 256 * 1024
MOST_FILES: Final = 64
MOST_BYTES: Final = 16 << 20
"""Of a file that is no snapshot."""
MOST_SNAPSHOT: Final = 8 << 30
"""etcd's own largest quota; a header of ustar holds as much."""
_BLOCK: Final = tarfile.BLOCKSIZE
_PIECE: Final = 256 * 1024
_GZIP: Final = 31
"""zlib's window bits for gzip."""
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file of a backup."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup is of."""

    cluster: str
    node: str
    fingerprint: str
    """SHA-256 of the cluster's CA in hex."""
    made: int
    """Unix seconds."""
    hepto: str
    """Version of hepto that made it."""
    etcd: str
    """Version of etcd that the snapshot is of."""
    member: Member
    revision: int
    """Of etcd, about when the snapshot was taken."""
    files: tuple[Entry, ...]


def entry(name: str, data: bytes) -> Entry:
    """What the manifest says of a small file."""
    return Entry(name, len(data), hashlib.sha256(data).hexdigest())


def dump(manifest: Manifest) -> bytes:
    """The manifest as JSON."""
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode() + b"\n"


def load(data: bytes) -> Manifest:
    """The reverse. Raises BackupError."""
    try:
        value = json.loads(data)
        if value["format"] != FORMAT:
            _refuse(f"it has format {value['format']!r:.20}, here {FORMAT} is known")
        files = tuple(Entry(str(one["name"]), _size(one["size"]), str(one["sha256"])) for one in value["files"])
        member = Member(_size(value["member"]["member"]), _size(value["member"]["cluster"]))
        texts = {name: str(value[name]) for name in ("cluster", "node", "fingerprint", "hepto", "etcd")}
        found = Manifest(
            **texts, made=_size(value["made"]), member=member, revision=_size(value["revision"]), files=files
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupError(Reason.ARCHIVE, "its manifest is damaged") from None
    _check(found)
    return found


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError("not a number")
    return value


def _check(manifest: Manifest) -> None:
    names = [one.name for one in manifest.files]
    if len(names) > MOST_FILES or len(set(names)) < len(names) or SNAPSHOT not in names:
        _refuse("its manifest does not list the files of a backup")
    for one in manifest.files:
        most = MOST_SNAPSHOT if one.name == SNAPSHOT else MOST_BYTES
        if not FILE.fullmatch(one.name) or one.size > most or not _DIGEST.fullmatch(one.sha256):
            _refuse(f"its manifest lists what cannot be: {one.name!r:.60}")
    if not _NAME.fullmatch(manifest.cluster) or not _NAME.fullmatch(manifest.node):
        _refuse("its manifest names no cluster or node")
    if not _DIGEST.fullmatch(manifest.fingerprint):
        _refuse("its manifest has no fingerprint")


# --- writing


def pack(manifest: Manifest, contents: Mapping[str, Iterable[bytes]]) -> Iterator[bytes]:
    """The archive, compressed; `contents` by name, in pieces."""
    packer = zlib.compressobj(level=1, wbits=_GZIP)  # etcd's database is half empty pages: any level finds those
    for piece in _tar(manifest, contents):
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _tar(manifest: Manifest, contents: Mapping[str, Iterable[bytes]]) -> Iterator[bytes]:
    listing = dump(manifest)
    yield _header(MANIFEST, len(listing), manifest.made) + _padded(listing)
    for one in manifest.files:
        yield _header(one.name, one.size, manifest.made)
        written = 0
        for piece in contents[one.name]:
            written += len(piece)
            yield piece
        assert written == one.size, f"{one.name} is not what the manifest says"
        yield bytes(-written % _BLOCK)
    yield bytes(2 * _BLOCK)


def _header(name: str, size: int, made: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, made
    return info.tobuf(tarfile.USTAR_FORMAT)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


# --- reading


Take = Callable[[Entry, Iterator[bytes]], None]
"""Is handed a file and its content, which it has to read to its end."""


def unpack(pieces: Iterable[bytes], begin: Callable[[Manifest], None], take: Take) -> Manifest:
    """Read an archive: `begin` hears what it is, `take` gets each file. Raises BackupError, and what those two raise.

    Everything is verified when it returns, and not before: until then nothing of it must be used.
    """
    tape = _Tape(_inflate(pieces))
    name, size = _read_header(tape)
    if name != MANIFEST or size > MOST_MANIFEST:
        _refuse("it does not begin with a manifest")
    manifest = load(b"".join(tape.file(size)))
    begin(manifest)
    for one in manifest.files:
        if _read_header(tape) != (one.name, one.size):
            _refuse(f"{one.name} is not where the manifest wants it")
        content = _verified(one, tape.file(one.size))
        take(one, content)
        for _ in content:  # what was not read is not verified
            pass
    if any(tape.rest(2 * _BLOCK)):
        _refuse("there is more in it than its manifest says")
    return manifest


def _verified(one: Entry, pieces: Iterable[bytes]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != one.sha256:
        _refuse(f"{one.name} was changed")


def _read_header(tape: "_Tape") -> tuple[str, int]:
    try:
        info = tarfile.TarInfo.frombuf(tape.read(_BLOCK), "utf-8", "strict")
    except (tarfile.HeaderError, ValueError):
        _refuse("it is no tar archive")
    if info.type != tarfile.REGTYPE:
        _refuse("it has something that is no file")
    return info.name, info.size


def _inflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What was compressed, a quarter of a MiB at a time whatever it was packed into."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        for piece in pieces:
            held = piece
            while held and not unpacker.eof:
                yield unpacker.decompress(held, _PIECE)
                held = unpacker.unconsumed_tail
            if unpacker.unused_data or (held and unpacker.eof):
                _refuse("there is something behind it")
        while not unpacker.eof and (rest := unpacker.decompress(b"", _PIECE)):
            yield rest
    except zlib.error:
        raise BackupError(Reason.ARCHIVE, "it is not compressed as a backup is") from None
    if not unpacker.eof:
        _refuse("it is cut off")


class _Tape:
    """Pieces of any size, read as so many bytes."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces = pieces
        self._held = b""

    def some(self, most: int) -> bytes:
        """One byte or more. Raises BackupError at the end."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                _refuse("it is cut off")
            self._held = piece
        found, self._held = self._held[:most], self._held[most:]
        return found

    def read(self, size: int) -> bytes:
        """So many bytes."""
        found = bytearray()
        while len(found) < size:
            found += self.some(size - len(found))
        return bytes(found)

    def file(self, size: int) -> Iterator[bytes]:
        """A file's content, and past its padding, when that was read to the end."""
        left = size
        while left:
            piece = self.some(left)
            left -= len(piece)
            yield piece
        self.read(-size % _BLOCK)

    def rest(self, most: int) -> bytes:
        """What is left, which must be `most` bytes. Raises BackupError."""
        found = self.read(most)
        if self._held or any(self._pieces):
            _refuse("there is more in it than its manifest says")
        return found


def _refuse(detail: str) -> NoReturn:
    raise BackupError(Reason.ARCHIVE, detail)
