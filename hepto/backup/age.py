"""The file format of age, version 1, with X25519 recipients (https://c2sp.org/age). Pure; nothing is held but a chunk.

    age-encryption.org/v1
    -> X25519 EPHEMERAL-KEY            a stanza a recipient: the file key, wrapped
    WRAPPED-FILE-KEY
    --- MAC-OF-THE-HEAD
    NONCE CHUNK CHUNK … LAST-CHUNK     ChaCha20-Poly1305, 64 KiB each; the last one is marked

Other kinds of stanzas are passed over, armour is not read. A chunk is handed on as soon as it is verified; whoever
needs to know that the file is whole waits for the end of `decrypt`.
"""

import base64
import binascii
import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NoReturn, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hepto.backup.reasons import BackupError, Reason

MAGIC: Final = b"age-encryption.org/v1\n"
CHUNK: Final = 64 * 1024
TAG: Final = 16
MOST_STANZAS: Final = 64
MOST_LINE: Final = 1024
"""Bytes; a line of a stanza's body has 64, its arguments are keys."""
MOST_LINES: Final = 64
"""Of a stanza's body: 3 KiB, twice what a post-quantum key takes."""
_FILE_KEY: Final = 16
_NONCE: Final = 16
_SHARE: Final = 32
_COLUMNS: Final = 64
_KIND: Final = "X25519"
_WRAP: Final = b"age-encryption.org/v1/X25519"
_ALONE: Final = "scrypt"
"""A stanza that must be the only one: whoever knows a passphrase could else pose as who made the file."""
_LAST: Final = re.compile(rb"\n---[^\n]*\n")
"""The last line of a head, and the end of the one before."""

Token = Callable[[int], bytes]
"""Gives so many random bytes."""


class Source(Protocol):
    """Where a file comes from; a binary file of Python is one."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, limit: int, /) -> bytes: ...


def encrypt(recipients: Sequence[bytes], pieces: Iterable[bytes], token: Token) -> Iterator[bytes]:
    """The file for `recipients` (X25519, 32 bytes each, at least one). Raises ValueError for a key that is none."""
    if not recipients:
        raise ValueError("nobody could open it")
    file_key = token(_FILE_KEY)
    head = MAGIC + b"".join(_wrap(file_key, recipient, token) for recipient in recipients) + b"---"
    yield head + b" " + _encode(_mac(file_key, head)) + b"\n"
    nonce = token(_NONCE)
    yield nonce
    cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    held, number = bytearray(), 0
    for piece in pieces:
        held += piece
        while len(held) > CHUNK:  # the last chunk must not be empty: one is kept until it is known to be the last
            yield cipher.encrypt(_chunk_nonce(number, last=False), bytes(held[:CHUNK]), None)
            del held[:CHUNK]
            number += 1
    yield cipher.encrypt(_chunk_nonce(number, last=True), bytes(held), None)


def decrypt(keys: Sequence[bytes], source: Source) -> Iterator[bytes]:
    """What is in the file, for whoever has one of `keys` (X25519, private). Raises BackupError."""
    head, stanzas = _read_head(source)
    mac = _mac_line(head)
    nonce = _read(source, _NONCE)
    if len(nonce) != _NONCE:
        _refuse(Reason.HEADER, "it ends with its head")
    file_key = _unwrap_any(keys, stanzas)
    if not hmac.compare_digest(_mac(file_key, head[: head.rindex(b"---") + 3]), mac):
        _refuse(Reason.HEADER_MAC, "its head was changed")
    cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    held, number = _read(source, CHUNK + TAG), 0
    while True:
        after = _read(source, CHUNK + TAG)
        last = not after
        try:
            piece = cipher.decrypt(_chunk_nonce(number, last=last), held, None)
        except (InvalidTag, ValueError):
            _refuse(Reason.PAYLOAD, f"it was changed or cut off near byte {number * (CHUNK + TAG)} of its content")
        if last and not piece and number:
            _refuse(Reason.PAYLOAD, "its last part is empty")
        yield piece
        if last:
            return
        held, number = after, number + 1


def recipients(data: bytes) -> tuple[int, int] | None:
    """For whoever has no key: the length of the head that `data` begins with, and how many X25519 keys open the file.

    None while the head is not whole. Raises BackupError if it is none.
    """
    if not data.startswith(MAGIC[: len(data)]):
        _refuse(Reason.HEADER, "it is no file that age (version 1) has made")
    end = _LAST.search(data)
    if end is None:
        return None
    head, stanzas = _read_head(io.BytesIO(data[: end.end()]))
    _mac_line(head)
    return len(head), sum(_wrapped(stanza) is not None for stanza in stanzas if stanza.kind == _KIND)


def _read(source: Source, size: int) -> bytes:
    """As many bytes as there are, up to `size`: what reads from a network may give less at a time."""
    found = source.read(size)
    while 0 < len(found) < size and (more := source.read(size - len(found))):
        found += more
    return found


# --- the head


class _Stanza:
    __slots__ = ("arguments", "body", "kind")

    def __init__(self, words: list[str], body: bytes):
        self.kind, *self.arguments = words
        self.body = body


def _read_head(source: Source) -> tuple[bytes, list[_Stanza]]:
    """The head as it was read, up to the end of its last line."""
    head = _line(source)
    if head != MAGIC:
        _refuse(Reason.HEADER, "it is no file that age (version 1) has made")
    stanzas: list[_Stanza] = []
    while True:
        line = _line(source)
        head += line
        if line.startswith(b"---"):
            break
        if len(stanzas) == MOST_STANZAS:
            _refuse(Reason.HEADER, f"it has more than {MOST_STANZAS} recipients")
        words = _words(line)
        body = b""
        for _ in range(MOST_LINES):
            line = _line(source)
            head += line
            text = line[:-1]
            body += _decode(text)
            if len(text) > _COLUMNS:
                _refuse(Reason.HEADER, "a line of its head is too long")
            if len(text) < _COLUMNS:
                break
        else:
            _refuse(Reason.HEADER, "a key in its head is too long")
        stanzas.append(_Stanza(words, body))
    if not stanzas:
        _refuse(Reason.HEADER, "it has no recipient")
    if len(stanzas) > 1 and any(stanza.kind == _ALONE for stanza in stanzas):
        _refuse(Reason.HEADER, "it has a passphrase beside other recipients")
    return head, stanzas


def _line(source: Source) -> bytes:
    line = source.readline(MOST_LINE)
    if not line.endswith(b"\n"):
        _refuse(Reason.HEADER, "its head is cut off or damaged")
    return line


def _words(line: bytes) -> list[str]:
    start, *words = line[:-1].decode("latin-1").split(" ")
    if start != "->" or not words or any(not word or not all("!" <= one <= "~" for one in word) for word in words):
        _refuse(Reason.HEADER, "a line of its head is damaged")
    return words


def _mac_line(head: bytes) -> bytes:
    """What the last line of a head says."""
    line = head[head.rindex(b"---") :]
    if not line.startswith(b"--- "):
        _refuse(Reason.HEADER, "its head has no code")
    mac = _decode(line[4:-1])
    if len(mac) != hashlib.sha256().digest_size:
        _refuse(Reason.HEADER, "its head's code is damaged")
    return mac


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), head, "sha256")


# --- the file key


def _wrap(file_key: bytes, recipient: bytes, token: Token) -> bytes:
    ephemeral = X25519PrivateKey.from_private_bytes(token(_SHARE))
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    key = _derive(shared, share + recipient, _WRAP)
    body = _encode(ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None))
    return b"-> %s %s\n%s\n" % (_KIND.encode(), _encode(share), body)


def _unwrap_any(keys: Sequence[bytes], stanzas: Sequence[_Stanza]) -> bytes:
    """The file key. A stanza that is damaged counts, whoever it is for."""
    wrapped = [_wrapped(stanza) for stanza in stanzas if stanza.kind == _KIND]
    for raw in keys:
        key = X25519PrivateKey.from_private_bytes(raw)
        public = key.public_key().public_bytes_raw()
        for share, body in wrapped:
            try:
                shared = key.exchange(X25519PublicKey.from_public_bytes(share))
            except ValueError:  # of a point of low order, with which every key agrees on zero
                _refuse(Reason.HEADER, "a key in its head is none")
            try:
                return ChaCha20Poly1305(_derive(shared, share + public, _WRAP)).decrypt(bytes(12), body, None)
            except InvalidTag:
                continue
    raise BackupError(Reason.NO_MATCH, "it was not encrypted to this key")


def _wrapped(stanza: _Stanza) -> tuple[bytes, bytes]:
    if len(stanza.arguments) != 1 or len(stanza.body) != _FILE_KEY + TAG:
        _refuse(Reason.HEADER, "a recipient in its head is damaged")
    share = _decode(stanza.arguments[0].encode())
    if len(share) != _SHARE:
        _refuse(Reason.HEADER, "a recipient in its head is damaged")
    return share, stanza.body


# --- small things


def _derive(key: bytes, salt: bytes, what: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, what).derive(key)


def _chunk_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


def _encode(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    """Base64 without padding, in the one form that there is of it."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        _refuse(Reason.HEADER, "its head is damaged")
    if _encode(data) != text:
        _refuse(Reason.HEADER, "its head is damaged")
    return data


def _refuse(reason: Reason, detail: str) -> NoReturn:
    raise BackupError(reason, detail)
