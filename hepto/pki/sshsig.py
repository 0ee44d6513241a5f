"""OpenSSH's detached signatures (PROTOCOL.sshsig in OpenSSH's sources): ed25519 keys, our namespace. Pure.

ssh-agent and `ssh-keygen -Y` make the same ones, so operators use the key that they have, and the namespace keeps a
signature made for anything else from being an order.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hepto.pki.endpoint import verify_identity
from hepto.pki.fields import KEY_BYTES, SIGNATURE_BYTES
from hepto.pki.reasons import PkiError, Reason
from hepto.values import BadValue

NAMESPACE: Final = "hepto-operator-1"
MOST_BYTES: Final = 4096
"""Of an armoured signature; one with an ed25519 key has about 300."""
KEY_TYPE: Final = b"ssh-ed25519"
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_BEGIN: Final = b"-----BEGIN SSH SIGNATURE-----"
_END: Final = b"-----END SSH SIGNATURE-----"
_LINE: Final = 70
_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Signature:
    """What the armour holds; not verified."""

    key: bytes
    """ed25519, 32 bytes."""
    namespace: bytes
    hash_name: bytes
    raw: bytes
    """64 bytes."""


def verify(armoured: bytes, message: bytes, namespace: str = NAMESPACE) -> bytes:
    """The public key (32 bytes) that has signed `message` for `namespace`. Raises PkiError. Trust is the caller's."""
    signature = parse(armoured)
    if signature.namespace != namespace.encode():
        raise PkiError(Reason.BAD_SIGNATURE, "it was made for another purpose")
    if not verify_identity(signature.key, _signed(signature.namespace, signature.hash_name, message), signature.raw):
        raise PkiError(Reason.BAD_SIGNATURE, "it is not of this message")
    return signature.key


def make(key: bytes, message: bytes, sign: Callable[[bytes], bytes], namespace: str = NAMESPACE) -> bytes:
    """An armoured signature. `sign(data)` gives the raw 64 bytes of ed25519: by a key, or by ssh-agent."""
    signature = sign(_signed(namespace.encode(), b"sha512", message))
    parts = (blob(key), namespace.encode(), b"", b"sha512", _string(KEY_TYPE) + _string(signature))
    data = _MAGIC + _VERSION.to_bytes(_LENGTH, "big") + b"".join(map(_string, parts))
    text = base64.b64encode(data)
    lines = [text[place : place + _LINE] for place in range(0, len(text), _LINE)]
    return b"\n".join((_BEGIN, *lines, _END, b""))


def parse(armoured: bytes) -> Signature:
    """What an armoured signature holds. Raises PkiError(MALFORMED)."""
    if len(armoured) > MOST_BYTES:
        raise PkiError(Reason.MALFORMED, f"more than {MOST_BYTES} bytes")
    lines = armoured.strip().splitlines()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise PkiError(Reason.MALFORMED, "no armoured SSH signature")
    try:
        data = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except binascii.Error:
        raise PkiError(Reason.MALFORMED, "not base64") from None
    head = len(_MAGIC) + _LENGTH
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : head] != _VERSION.to_bytes(_LENGTH, "big"):
        raise PkiError(Reason.MALFORMED, "not an SSH signature of version 1")
    key, namespace, _, hash_name, signature = _strings(data[head:], 5)
    if hash_name not in _HASHES:
        raise PkiError(Reason.MALFORMED, "another hash than sha256 or sha512")
    kind, raw = _strings(signature, 2)
    if kind != KEY_TYPE or len(raw) != SIGNATURE_BYTES:
        raise PkiError(Reason.MALFORMED, "not of an ed25519 key")
    return Signature(_key(key), namespace, hash_name, raw)


def public_key(text: str) -> bytes:
    """The 32 bytes of `ssh-ed25519 AAAA… comment`. Raises BadValue."""
    words = text.split(maxsplit=2)
    if len(words) < 2 or words[0].encode() != KEY_TYPE:
        raise BadValue("not an OpenSSH public key that begins with ssh-ed25519")
    try:
        return _key(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError, PkiError):
        raise BadValue("not a complete OpenSSH public key") from None


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob(key)).digest()).decode().rstrip("=")


def blob(key: bytes) -> bytes:
    """A public key as OpenSSH writes it, and ssh-agent names it by."""
    return _string(KEY_TYPE) + _string(key)


def _signed(namespace: bytes, hash_name: bytes, message: bytes) -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return _MAGIC + b"".join(map(_string, (namespace, b"", hash_name, digest)))


def _key(data: bytes) -> bytes:
    kind, key = _strings(data, 2)
    if kind != KEY_TYPE or len(key) != KEY_BYTES:
        raise PkiError(Reason.MALFORMED, "not an ed25519 key")
    return key


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH, "big") + data


def _strings(data: bytes, count: int) -> list[bytes]:
    """Exactly `count` strings of SSH, and nothing after."""
    strings = []
    for _ in range(count):
        length = int.from_bytes(data[:_LENGTH], "big")
        if len(data) < _LENGTH + length:
            raise PkiError(Reason.MALFORMED, "it is cut off")
        strings.append(data[_LENGTH : _LENGTH + length])
        data = data[_LENGTH + length :]
    if data:
        raise PkiError(Reason.MALFORMED, "there is something after its end")
    return strings
