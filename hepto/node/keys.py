"""The node's own keys: made at the first boot, kept in its data directory, the same for as long as that lives."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.mesh import driver as mesh
from hepto.pki.driver import Pki
from hepto.values import Secret
from hepto.wireguard import public_key


@dataclass
class Keys:
    """trust.md section 1. Only `mesh` may become another one: all who use it share this object."""

    identity: Ed25519PrivateKey = field(repr=False)
    mesh: bytes = field(repr=False)
    """X25519, private, 32 bytes."""

    @property
    def wireguard(self) -> bytes:
        """The mesh's public key, 32 bytes."""
        return public_key(self.mesh)


def load(pki: Pki, directory: str, identity: Secret | None = None) -> Keys:
    """The keys of the node whose data is in `directory`, made at the first call. Raises UserError, OSError.

    `identity` (option of that name, 32 bytes: RFC 8032 section 5.1.5) outranks the one in the directory, where it is
    not written to.
    """
    given = None if identity is None else Ed25519PrivateKey.from_private_bytes(identity.reveal())
    return Keys(pki.identity(given), mesh.load_key(directory))
