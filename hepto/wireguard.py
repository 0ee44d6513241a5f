"""WireGuard's values that the kernel's door, the mesh and certificates share."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple


class Endpoint(NamedTuple):
    """Where a peer's WireGuard listens on the underlay."""

    address: IPv6Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}"


KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KernelPeer:
    """A peer as the kernel has it."""

    public_key: bytes
    endpoint: Endpoint | None = None
    """An IPv4 endpoint is shown as an IPv4-mapped address."""
    allowed: tuple[IPv6Network, ...] = ()
    keepalive: int = 0
    """Seconds, 0 for none."""
    handshake: float = 0.0
    """Unix seconds of the last one that was completed, 0 for never."""
    received: int = 0
    sent: int = 0


def public_key(private: bytes) -> bytes:
    """The public half of an X25519 private key, both 32 bytes (RFC 7748 section 6.1). ValueError: not 32 bytes."""
    # Here, so that who needs only the values pays neither 16 MiB nor 50 ms for the library.
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
