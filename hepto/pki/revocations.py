"""The list of grants that hold no more, signed by the cluster's CA (trust.md section 2). Pure.

It travels as a gossip user message, as the state that every push/pull shares, and with every join and renewal:

    "hepR", version 8, (serial 8, not after 8)*, r 32, s 32

Serials ascend. A list replaces every list of a lower version, which its receivers refuse.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hepto.pki.fields import SIGNATURE_BYTES, number, signed
from hepto.pki.grant import sign_raw, verify_raw
from hepto.pki.reasons import PkiError, Reason

NAME: Final = "hepto revocations 1"
MAGIC: Final = b"hepR"
MOST_ENTRIES: Final = 4096
_ENTRY: Final = struct.Struct(">QQ")
_HEAD: Final = len(MAGIC) + 8
MOST_BYTES: Final = _HEAD + MOST_ENTRIES * _ENTRY.size + SIGNATURE_BYTES


class Revoked(NamedTuple):
    """One grant, and until when it would have been valid."""

    serial: int
    not_after: int
    """Unix seconds; then the entry is dropped."""


@dataclass(frozen=True, slots=True)
class Revocations:
    """A list: entries of ascending serial, at most MOST_ENTRIES."""

    version: int = 0
    entries: tuple[Revoked, ...] = ()

    def holds(self, serial: int) -> bool:
        """True if the grant with this serial is revoked."""
        place = bisect_left(self.entries, (serial,))
        return place < len(self.entries) and self.entries[place].serial == serial

    def prune(self, unix: float) -> "Revocations":
        """Without those that have expired anyway. The version stays: it is still that list."""
        return Revocations(self.version, tuple(entry for entry in self.entries if entry.not_after >= unix))

    def adding(self, entries: Iterable[Revoked], version: int) -> "Revocations":
        """With `entries` too, as the newer list `version`."""
        return Revocations(version, tuple(sorted({*self.entries, *entries})))


def issue(revocations: Revocations, fingerprint: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The list signed by the CA, whose certificate has the SHA-256 `fingerprint`."""
    assert len(revocations.entries) <= MOST_ENTRIES, "the list is full"
    body = b"".join(_ENTRY.pack(*entry) for entry in revocations.entries)
    version = number(revocations.version)
    return MAGIC + version + body + sign_raw(key, signed(NAME, fingerprint, version, body))


def read(data: bytes) -> Revocations:
    """What the list says: decoded, NOT verified. Raises PkiError(BAD_REVOCATIONS)."""
    count, rest = divmod(len(data) - _HEAD - SIGNATURE_BYTES, _ENTRY.size)
    if data[: len(MAGIC)] != MAGIC or count < 0 or rest or count > MOST_ENTRIES:
        raise PkiError(Reason.BAD_REVOCATIONS, f"{len(data)} bytes that are no list")
    entries = tuple(Revoked(*entry) for entry in _ENTRY.iter_unpack(data[_HEAD:-SIGNATURE_BYTES]))
    if any(one.serial >= other.serial for one, other in pairwise(entries)):
        raise PkiError(Reason.BAD_REVOCATIONS, "serials do not ascend")
    return Revocations(int.from_bytes(data[len(MAGIC) : _HEAD], "big"), entries)


def verify(data: bytes, authority: x509.Certificate) -> Revocations:
    """The list if `authority` has signed it. Raises PkiError(BAD_REVOCATIONS). Versions are the caller's to compare."""
    revocations = read(data)
    version, body, signature = data[len(MAGIC) : _HEAD], data[_HEAD:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    fingerprint = authority.fingerprint(hashes.SHA256())
    if not verify_raw(authority, signed(NAME, fingerprint, version, body), signature):
        raise PkiError(Reason.BAD_REVOCATIONS, "it is not signed by this cluster's CA")
    return revocations
