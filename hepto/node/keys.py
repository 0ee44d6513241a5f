"""The node's own keys: made at the first boot, kept in its data directory, the same for as long as that lives."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.mesh import driver as mesh
from hepto.pki import fields
from hepto.pki.driver import Pki


@dataclass
class Keys:
    """trust.md section 1. Only `mesh` may become another one: all who use it share this object."""

    identity: Ed25519PrivateKey = field(repr=False)
    mesh: bytes = field(repr=False)
    """X25519, private, 32 bytes."""

    @property
    def wireguard(self) -> bytes:
        """The mesh's public key, 32 bytes."""
        return fields.wireguard_public(self.mesh)


def load(pki: Pki, directory: str) -> Keys:
    """The keys of the node whose data is in `directory`, made at the first call. Raises UserError, OSError."""
    return Keys(pki.identity(), mesh.load_key(directory))
