"""Endpoint records: where a node can be reached, signed by its identity key (trust.md section 2). Pure.

The record itself is gossip's (hepto/gossip/plain.py), which knows no keys: its fields come and go as arguments.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hepto.pki.fields import KEY_BYTES, number, signed

NAME: Final = "hepto endpoint 1"


def sign(
    key: Ed25519PrivateKey, name: str, addresses: tuple[bytes, ...], api_port: int, mesh_port: int, counter: int
) -> bytes:
    """The signature of a record of node `name`, 64 bytes; addresses have 16 bytes each, the counter 64 bits."""
    return key.sign(_signed(name, addresses, api_port, mesh_port, counter))


def verify(
    identity: bytes,
    name: str,
    addresses: tuple[bytes, ...],
    api_port: int,
    mesh_port: int,
    counter: int,
    signature: bytes,
) -> bool:
    """True if the owner of `identity`, taken from the node's verified grant, has signed this record."""
    return verify_identity(identity, _signed(name, addresses, api_port, mesh_port, counter), signature)


def verify_identity(identity: bytes, data: bytes, signature: bytes) -> bool:
    """True if `signature` over `data` is of the Ed25519 key `identity`. Any bytes will do."""
    if len(identity) != KEY_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(name: str, addresses: tuple[bytes, ...], api_port: int, mesh_port: int, counter: int) -> bytes:
    numbers = (number(api_port), number(mesh_port), number(counter))
    return signed(NAME, name.encode(), *numbers, *addresses)
