"""What is signed and MACed, and the keys of the MACs (trust.md section 1). Pure.

Everything that is signed or MACed starts with its own name and a zero byte and is built of fields with their lengths
before them, so that no bytes mean two things. MACs are HMAC-SHA256 and compared in constant time.
"""

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hepto.pki.reasons import PkiError, Reason

KEY_BYTES: Final = 32
"""Of an Ed25519 or X25519 key, and of what HKDF makes."""
SIGNATURE_BYTES: Final = 64
"""Of Ed25519, and of P-256 as raw r || s."""
MAC_BYTES: Final = 32
LARGEST: Final = 2**64 - 1
_LENGTH: Final = 4


def signed(name: str, *fields: bytes) -> bytes:
    """`name`, a zero byte, and each field after its length, 32 bits big-endian: what is signed or MACed."""
    parts = [name.encode() + b"\0"]
    for field in fields:
        parts += (len(field).to_bytes(_LENGTH, "big"), field)
    return b"".join(parts)


def split(name: str, data: bytes) -> tuple[bytes, ...]:
    """The fields of `signed(name, …)`. Raises PkiError(MALFORMED); who calls has bounded the length of `data`."""
    place = len(name.encode()) + 1
    if data[:place] != name.encode() + b"\0":
        raise PkiError(Reason.MALFORMED, f"not a {name}")
    fields = []
    while place < len(data):
        begin = place + _LENGTH
        end = begin + int.from_bytes(data[place:begin], "big")
        if end > len(data) or begin > len(data):
            raise PkiError(Reason.MALFORMED, "a field is longer than what is there")
        fields.append(data[begin:end])
        place = end
    return tuple(fields)


def number(value: int) -> bytes:
    """A number as a field: 64 bits, big-endian."""
    return value.to_bytes(8, "big")


def join_key(key: bytes, cluster: str) -> bytes:
    """K_join, which proves in a join that one has the gossip key; 32 bytes."""
    return hkdf(key, digest(cluster.encode()), b"hepto join 1")


def shared_key(own: bytes, other: bytes) -> bytes:
    """Proves that one has a WireGuard key: made of X25519(own private key, other's public key); 32 bytes.

    Raises PkiError(NO_POSSESSION) for a public key of small order, with which everybody would agree on the same key.
    """
    try:
        secret = X25519PrivateKey.from_private_bytes(own).exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:
        raise PkiError(Reason.NO_POSSESSION, "this is no WireGuard key") from None
    return hkdf(secret, b"", b"hepto wireguard 1")


def hkdf(key: bytes, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def mac(key: bytes, name: str, *fields: bytes) -> bytes:
    """HMAC-SHA256 of `signed(name, *fields)`."""
    return hmac.digest(key, signed(name, *fields), hashlib.sha256)


def same(one: bytes, other: bytes) -> bool:
    """Equality that takes the same time wherever they differ."""
    return hmac.compare_digest(one, other)


def fingerprint(data: bytes) -> str:
    """SHA-256 in hex: of an identity's 32 bytes it is what an operator admits."""
    return digest(data).hex()


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
