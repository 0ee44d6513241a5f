"""Copies of a master's backups on other nodes: who keeps them, which are wanted, and what a copy has to be. Pure.

    keeper -> master    the names that it has
           <-           what there is: names and sizes
    keeper -> master    one name
           <-           the file, of which every piece goes through an Arrival

A keeper has no key that opens a copy. What it can verify it does: the file is age's, encrypted to somebody, as long as
it was said to be, and of a size that leaves the disk to what the node is there for. Raises PeerError with a Refused.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgpack

from hepto.backup import age, schedule
from hepto.backup.reasons import BackupError
from hepto.errors import PeerError

KEEPERS: Final = 2
"""Nodes beside the master that have copies, as far as there are so many."""
MOST_MESSAGE: Final = 16 * 1024
MOST_NAMES: Final = 32
MOST_BYTES: Final = 8 << 30
"""Of one copy: etcd's own largest quota."""
MOST_HEAD: Final = 64 * 1024
"""Of a file: age's own has a tenth of it with all recipients that are read."""
RESERVE: Final = 5
"""A copy leaves one part in so many of the disk free: kubelet begins to remove images when 15 % are left."""
LEAST_PAYLOAD: Final = 32
"""Bytes behind the head: a nonce, and the code of an empty chunk."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}-\d{8}T\d{6}Z\.age")
_SIZES: Final = 1 << 63


class Refused(StrEnum):
    """Why there is no copy, or no answer."""

    MALFORMED = "copy-malformed"
    """The message is none of these."""
    STRANGER = "copy-unknown-node"
    """No node of the cluster has that address."""
    UNKNOWN = "copy-unknown-backup"
    """There is no backup of that name."""
    NAME = "copy-wrong-name"
    """A master offers what is no backup of its own."""
    PLAIN = "copy-not-encrypted"
    """It is not encrypted to anybody, or damaged in its head."""
    TOO_LARGE = "copy-too-large"
    LENGTH = "copy-wrong-length"
    """It is longer or shorter than it was said to be."""
    NO_ROOM = "copy-no-room"
    """It would take the part of the disk that is kept free."""
    NOT_WRITTEN = "copy-not-written"
    """The disk does not take it."""


@dataclass(frozen=True)
class Offer:
    """A backup that can be copied."""

    name: str
    size: int
    """Bytes."""


def keepers(fingerprint: str, names: Iterable[str]) -> tuple[str, ...]:
    """Who of these nodes keeps copies. Every node finds the same, without a word, as long as it sees the same nodes.

    By rendezvous: who goes is replaced by one, and who comes replaces one, while the others stay.
    """

    def rank(name: str) -> bytes:
        return hashlib.sha256(f"hepto copies 1\0{fingerprint}\0{name}".encode()).digest()

    return tuple(sorted(set(names), key=rank)[:KEEPERS])


def wanted(offers: Iterable[Offer], have: Iterable[str]) -> tuple[Offer, ...]:
    """What a keeper with these copies lacks of the last five, the newest first: the connection may end any time."""
    there = {offer.name: offer for offer in offers}
    last = schedule.backups({*there, *have})[-schedule.KEPT :]
    return tuple(there[name] for name in reversed(last) if name in there.keys() - set(have))


def check_room(offer: Offer, free: int, total: int) -> None:
    """Raises PeerError if it is too large for a disk of `total` bytes, or for what is free of it."""
    if offer.size > MOST_BYTES:
        raise PeerError(Refused.TOO_LARGE, f"{offer.name} has {offer.size} bytes")
    if free - offer.size < total // RESERVE:
        raise PeerError(Refused.NO_ROOM, f"{offer.name} has {offer.size} bytes, and {free} of {total} are free")


class Arrival:
    """A file as it comes."""

    def __init__(self, offer: Offer):
        self._offer = offer
        self._left = offer.size
        self._head: bytes | None = b""

    def feed(self, piece: bytes) -> bytes:
        """What of it can be written now. Raises PeerError."""
        if len(piece) > self._left:
            raise PeerError(Refused.LENGTH, f"{self._offer.name} is longer than {self._offer.size} bytes")
        self._left -= len(piece)
        if self._head is None:
            return piece
        self._head += piece
        if not self._is_encrypted(self._head):
            return b""
        found, self._head = self._head, None
        return found

    def end(self) -> None:
        """There is no more. Raises PeerError unless it was whole."""
        if self._left:
            raise PeerError(Refused.LENGTH, f"{self._offer.name} is {self._left} bytes short")
        if self._head is not None:
            raise PeerError(Refused.PLAIN, f"{self._offer.name} has no head of age")

    def _is_encrypted(self, head: bytes) -> bool:
        """False: it cannot be seen yet."""
        try:
            found = age.recipients(head)
        except BackupError as error:
            raise PeerError(Refused.PLAIN, f"{self._offer.name}: {error.detail}") from None
        if found is None:
            if len(head) > MOST_HEAD:
                raise PeerError(Refused.PLAIN, f"{self._offer.name} has no head of age")
            return False
        size, count = found
        if not count:
            raise PeerError(Refused.PLAIN, f"{self._offer.name} is not encrypted to a key")
        if self._offer.size - size < LEAST_PAYLOAD:
            raise PeerError(Refused.LENGTH, f"{self._offer.name} ends with its head")
        return True


# --- messages


def dump_names(names: Iterable[str]) -> bytes:
    """What a keeper has, or the one that it wants."""
    return _pack({"names": list(names)})


def load_names(data: bytes) -> tuple[str, ...]:
    """The reverse. Raises PeerError."""
    return tuple(_name(one) for one in _list(data, "names"))


def dump_offers(offers: Iterable[Offer]) -> bytes:
    """What a master has."""
    return _pack({"backups": [[offer.name, offer.size] for offer in offers]})


def load_offers(data: bytes, cluster: str, node: str) -> tuple[Offer, ...]:
    """The reverse, for backups of that master. Raises PeerError."""
    found = []
    for one in _list(data, "backups"):
        if not isinstance(one, list) or len(one) != 2 or type(one[1]) is not int or not 0 <= one[1] < _SIZES:
            raise PeerError(Refused.MALFORMED, "no name and size")
        found.append(Offer(_name(one[0]), one[1]))
    for offer in found:
        when = schedule.made(offer.name)
        if when is None or offer.name != schedule.name(cluster, node, when, encrypted=True):
            raise PeerError(Refused.NAME, f"{offer.name} is no backup of {node}")
    return tuple(found)


def is_name(text: str) -> bool:
    """True if it can be that of an encrypted backup, and leads nowhere else as a file's."""
    return _NAME.fullmatch(text) is not None and schedule.made(text) is not None


def _name(value: object) -> str:
    if not isinstance(value, str) or not is_name(value):
        raise PeerError(Refused.MALFORMED, "no name of a backup")
    return value


def _pack(value: object) -> bytes:
    data: bytes = msgpack.packb(value, use_bin_type=True)
    return data


def _list(data: bytes, key: str) -> list[Any]:
    """Any: what a stranger's bytes say."""
    if len(data) > MOST_MESSAGE:
        raise PeerError(Refused.MALFORMED, f"more than {MOST_MESSAGE} bytes")
    try:
        value = msgpack.unpackb(data, raw=False, max_map_len=MOST_NAMES, max_array_len=MOST_NAMES)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise PeerError(Refused.MALFORMED, "not msgpack") from None
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise PeerError(Refused.MALFORMED, f"no {key}")
    return found
