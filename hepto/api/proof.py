"""What whoever speaks to the node API proves first: the gossip key, without showing it. Pure."""

import hmac
from typing import Final, Protocol

NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32


class Mac(Protocol):
    """HMAC-SHA256 under K_join (trust.md section 1): made by the caller from hepto.pki.fields."""

    def __call__(self, name: str, *fields: bytes) -> bytes:
        """32 bytes over the signed form of `name` and `fields`."""


def holds(mac: Mac, proof: bytes, name: str, *fields: bytes) -> bool:
    """True if `proof` was made with the same key over the same fields. Takes the same time either way."""
    return hmac.compare_digest(mac(name, *fields), proof)
