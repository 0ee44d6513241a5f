"""The gossip keys and what is done with them: AES-GCM of packets and stream blocks (wire, section 9).

The first key encrypts; all are tried to decrypt, so that keys can be rotated without an outage: add everywhere, use
everywhere, remove everywhere. A block is version byte, nonce (12), ciphertext, tag (16). No key is ever in a repr.
"""

from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hepto.errors import UserError
from hepto.gossip.reasons import GossipError, Reason

KEY_SIZES = (16, 24, 32)
NONCE = 12
OVERHEAD = 1 + NONCE + 16
"""Bytes that encryption adds."""
_SHORTEST = {0: OVERHEAD + 16, 1: OVERHEAD}
"""By version of the block; version 0 pads to a multiple of 16, by 16 when it is one already."""


class Cipher(Protocol):
    """Authenticated encryption with one key: AESGCM, or the simulator's cheap stand-in of the same lengths."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Ciphertext and a tag of 16 bytes."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The reverse. Raises cryptography.exceptions.InvalidTag."""


class Keyring:
    """An ordered list of different keys of 16, 24 or 32 bytes; the first is the primary one."""

    def __init__(self, keys: tuple[bytes, ...], cipher: Callable[[bytes], Cipher] = AESGCM):
        if not keys:
            raise ValueError("a keyring holds at least one key")
        self._cipher = cipher
        self._ciphers: dict[bytes, Cipher] = {}
        for key in keys:
            self.add(key)
        self._primary = self._ciphers[keys[0]]

    def __repr__(self) -> str:
        return f"Keyring({len(self._ciphers)} keys)"

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys, the primary one first."""
        return tuple(self._ciphers)

    @property
    def primary(self) -> bytes:
        """The key that encrypts."""
        return next(iter(self._ciphers))

    def add(self, key: bytes) -> None:
        """From now on decrypt with this key too. One that is there already stays where it is."""
        if len(key) not in KEY_SIZES:
            raise UserError("A gossip key has 16, 24 or 32 bytes.", f"This one has {len(key)}.")
        if key not in self._ciphers:
            self._ciphers[key] = self._cipher(key)

    def use(self, key: bytes) -> None:
        """From now on encrypt with this key."""
        if key not in self._ciphers:
            raise UserError("This gossip key is not in the keyring.", "Add it on every node first.")
        self._primary = self._ciphers[key]
        self._ciphers = {key: self._primary} | self._ciphers

    def remove(self, key: bytes) -> None:
        """Forget a key; one that is not there is no error."""
        if key == self.primary:
            raise UserError("The primary gossip key cannot be removed.", "Use another key on every node first.")
        self._ciphers.pop(key, None)

    def encrypt(self, nonce: bytes, data: bytes, additional: bytes) -> bytes:
        """A block of version 1. `nonce` is 12 random bytes that were never used before."""
        return b"\x01" + nonce + self._primary.encrypt(nonce, data, additional)

    def decrypt(self, block: bytes, additional: bytes) -> bytes:
        """The content of a block of version 0 or 1. Raises GossipError with one of the crypto reasons."""
        if not block:
            raise GossipError(Reason.CRYPTO_EMPTY)
        version = block[0]
        if version not in _SHORTEST:
            raise GossipError(Reason.CRYPTO_VERSION, str(version))
        if len(block) < _SHORTEST[version]:
            raise GossipError(Reason.CRYPTO_SHORT, f"{len(block)} bytes")
        nonce, sealed = block[1 : 1 + NONCE], block[1 + NONCE :]
        for cipher in self._ciphers.values():
            try:
                data = cipher.decrypt(nonce, sealed, additional)
            except InvalidTag:
                continue
            return data if version else _unpadded(data)
        raise GossipError(Reason.CRYPTO_NO_KEY)


def _unpadded(data: bytes) -> bytes:
    """Without the padding of version 0: as many bytes as the last one says. The version byte is not authenticated."""
    count = data[-1] if data else 0
    if not 1 <= count <= len(data):
        raise GossipError(Reason.CRYPTO_PADDING)
    return data[:-count]
