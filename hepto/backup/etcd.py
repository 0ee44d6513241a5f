"""A member of etcd made of a snapshot: what `etcdutl snapshot restore` does, for the member that the snapshot is of.

etcd (3.7) begins with the newest snapshot record of its write-ahead log and with its database; the two must agree on
the index that was applied last. So a log of five records is enough: the member's and the cluster's number, the snapshot
that the database is, and that everything up to it is committed. The node's name, its address and so the member's number
are those of the backup, therefore the members that the database lists stay true; only the revision is moved on.

Sources: server/storage/wal (encoder.go, wal.go, walpb/record.proto), server/etcdserver/bootstrap.go, the snapshot's
format in server/etcdserver/api/v3rpc/maintenance.go (the database, then its SHA-256), raftpb/raft.proto.
"""

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from hepto.backup.bolt import Database
from hepto.backup.reasons import BackupError, Reason

SNAPSHOT_PATH: Final = "/v3/maintenance/snapshot"
STATUS_PATH: Final = "/v3/maintenance/status"
DIGEST: Final = 32
"""Bytes behind the database in a snapshot: SHA-256."""
MOST_LINE: Final = 1 << 20
"""Of an answer; etcd sends 32 KiB at a time."""
DATABASE: Final = "member/snap/db"
COMPACTION: Final = b"scheduledCompactRev"
GAP: Final = 1_000_000_000
"""Revisions that are passed over: a thousand a second for eleven days."""
MOST_REVISION: Final = 1 << 62
LOG: Final = f"member/wal/{0:016x}-{0:016x}.wal"
_METADATA, _STATE, _CHECKSUM, _SNAPSHOT = 1, 3, 4, 5
"""Types of records."""
_LENGTH: Final = struct.Struct("<Q")
_CASTAGNOLI: Final = 0x82F63B78


@dataclass(frozen=True)
class Member:
    """Numbers that etcd gave when the cluster was made."""

    member: int
    cluster: int


@dataclass(frozen=True)
class Position:
    """What was applied last to a database."""

    index: int
    term: int


class Blobs:
    """What etcd's gateway sends of a snapshot: a JSON object a line, each with a piece in base64."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that are complete. Raises BackupError when etcd gives up, or for what is no such answer."""
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > MOST_LINE:
            _refuse("etcd's answer has no lines")
        for line in lines:
            if line.strip():
                yield _blob(line)

    def end(self) -> None:
        """No more comes. Raises BackupError if something is missing."""
        if self._held.strip():
            _refuse("etcd's answer is cut off")


def _blob(line: bytes) -> bytes:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        _refuse("etcd's answer is not JSON")
    match value:
        case {"result": {"blob": str(text)}}:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error:
                _refuse("etcd's answer is not base64")
        case {"result": dict()}:
            return b""
        case {"error": {"message": str(message)}}:
            _refuse(f"etcd gave up: {message}")
    raise BackupError(Reason.DATABASE, "etcd's answer has no snapshot in it")


def read_status(body: bytes) -> tuple[Member, str, int]:
    """Who answered: its numbers, its version, and its revision. Raises BackupError."""
    try:
        value = json.loads(body)
        head = value["header"]
        return Member(int(head["member_id"]), int(head["cluster_id"])), str(value["version"]), int(head["revision"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupError(Reason.DATABASE, "etcd does not say who it is") from None


def position(database: Database, member: Member) -> Position:
    """Where the database stands. Raises BackupError, also if `member` is not the only one that it knows."""
    index, term = (database.get(b"meta", name) for name in (b"consistent_index", b"term"))
    if index is None or term is None or len(index) != 8 or len(term) != 8:
        _refuse("it does not say how far it is")
    found = Position(int.from_bytes(index, "big"), int.from_bytes(term, "big"))
    if not found.index or not found.term:
        _refuse("nothing was ever written to it")
    members = [name for name, _ in database.items(b"members")]
    if members != [b"%x" % member.member]:
        _refuse("it is of a cluster with other members")
    return found


def later(database: Database, revision: int) -> tuple[int, bytes] | None:
    """Where to write what, so that etcd goes on with a revision that nobody has seen. Raises BackupError.

    Who was a client of the old etcd may know revisions that come after the snapshot, and would miss what gets the same
    ones anew: `etcdutl snapshot restore --bump-revision --mark-compacted` is for that. A compaction that is scheduled
    does the same: etcd begins with its revision when that is the larger one (server/storage/mvcc/kvstore.go, restore),
    and tells everybody with an older one to begin anew. None if nothing was ever compacted, which Kubernetes' apiserver
    has done every five minutes.
    """
    place = database.place(b"meta", COMPACTION)
    before = database.get(b"meta", COMPACTION)
    if place is None or before is None:
        return None
    if len(before) != 17 or before[8:9] != b"_" or revision >= MOST_REVISION:
        _refuse("its compaction is of no revision")
    found = max(revision, int.from_bytes(before[:8], "big"))
    return place, (found + GAP).to_bytes(8, "big") + b"_" + bytes(8)


def log(member: Member, at: Position) -> bytes:
    """The write-ahead log that etcd begins with."""
    metadata = _number(1, member.member) + _number(2, member.cluster)
    state = _number(1, at.term) + _number(2, member.member) + _number(3, at.index)
    voters = _bytes(3, _number(1, member.member))
    records = (
        (_METADATA, metadata),
        (_SNAPSHOT, _number(1, 0) + _number(2, 0)),
        (_STATE, state),
        (_SNAPSHOT, _number(1, at.index) + _number(2, at.term) + voters),
    )
    result, checksum = _record(_CHECKSUM, b"", 0), 0
    for kind, data in records:
        checksum = crc32c(data, checksum)
        result += _record(kind, data, checksum)
    return result


def _record(kind: int, data: bytes, checksum: int) -> bytes:
    record = _number(1, kind) + _number(2, checksum) + (_bytes(3, data) if data else b"")
    padding = -len(record) % 8
    length = len(record) | (0x80 | padding) << 56 if padding else len(record)
    return _LENGTH.pack(length) + record + bytes(padding)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """As protobuf writes a number: seven bits a byte, the lowest first."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def crc32c(data: bytes, before: int = 0) -> int:
    """The checksum of records (RFC 3720 appendix B.4), going on from that of what came before."""
    found = before ^ 0xFFFFFFFF
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (_CASTAGNOLI if found & 1 else 0)
    return found ^ 0xFFFFFFFF


def _refuse(detail: str) -> NoReturn:
    raise BackupError(Reason.DATABASE, detail)
