"""Grants: who may be in the mesh, signed by the cluster's CA (trust.md section 2). Pure.

The bytes travel in the gossip meta, so they are of fixed length and leave out what the verifier knows: the node's name
and the CA's fingerprint are signed, not sent.

    format 1, role, identity key 32, WireGuard key 32, serial 8, not before 8, not after 8, r 32, s 32      154 bytes

Time is not judged here: it alone never removes a peer, only the caller knows whether one is established.
"""

import struct
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hepto.pki.fields import KEY_BYTES, SIGNATURE_BYTES, number, signed
from hepto.pki.reasons import PkiError, Reason
from hepto.values import Role

NAME: Final = "hepto grant 1"
FORMAT: Final = 1
LIFETIME: Final = 365 * 86400
"""Seconds; renewed at half."""
_LAYOUT: Final = struct.Struct(f">BB{KEY_BYTES}s{KEY_BYTES}sQQQ{SIGNATURE_BYTES}s")
BYTES: Final = _LAYOUT.size
_ROLES: Final = {1: Role.MASTER, 2: Role.NODE, 3: Role.FULL}
_NUMBERS: Final = {role: byte for byte, role in _ROLES.items()}
_COORDINATE: Final = 32


@dataclass(frozen=True, slots=True)
class Grant:
    """What the cluster's CA says of a node."""

    node: str
    role: Role
    identity: bytes
    """Ed25519, 32 bytes."""
    wireguard: bytes
    """X25519, 32 bytes."""
    serial: int
    not_before: int
    """Unix seconds."""
    not_after: int

    def valid_at(self, unix: float) -> bool:
        """True within its life. A grant that is not admits no new peer and removes no established one."""
        return self.not_before <= unix <= self.not_after

    def due_at(self, unix: float) -> bool:
        """True when it is to be renewed: half of a life is left, or less."""
        return unix >= self.not_after - LIFETIME // 2


def issue(grant: Grant, fingerprint: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The grant signed by the CA, whose certificate has the SHA-256 `fingerprint`: 154 bytes."""
    body = (grant.identity, grant.wireguard, grant.serial, grant.not_before, grant.not_after)
    return _LAYOUT.pack(FORMAT, _NUMBERS[grant.role], *body, sign_raw(key, _signed(grant, fingerprint)))


def read(data: bytes, node: str) -> Grant:
    """What `data` says of `node`: decoded, NOT verified. Raises PkiError(BAD_GRANT)."""
    return _read(data, node)[0]


def verify(data: bytes, node: str, authority: x509.Certificate) -> Grant:
    """The grant of `node` if `authority` has signed it, whenever. Raises PkiError(BAD_GRANT)."""
    grant, signature = _read(data, node)
    if not verify_raw(authority, _signed(grant, authority.fingerprint(hashes.SHA256())), signature):
        raise PkiError(Reason.BAD_GRANT, f"it is not signed for {node} by this cluster's CA")
    return grant


def _read(data: bytes, node: str) -> tuple[Grant, bytes]:
    if len(data) != BYTES:
        raise PkiError(Reason.BAD_GRANT, f"{len(data)} bytes instead of {BYTES}")
    version, role, identity, wireguard, serial, before, after, signature = _LAYOUT.unpack(data)
    if version != FORMAT:
        raise PkiError(Reason.BAD_GRANT, f"it has format {version}")
    if role not in _ROLES:
        raise PkiError(Reason.BAD_GRANT, f"there is no role {role}")
    return Grant(node, _ROLES[role], identity, wireguard, serial, before, after), signature


def _signed(grant: Grant, fingerprint: bytes) -> bytes:
    times = (number(grant.serial), number(grant.not_before), number(grant.not_after))
    return signed(NAME, fingerprint, grant.node.encode(), grant.role.encode(), grant.identity, grant.wireguard, *times)


def sign_raw(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """ECDSA with SHA-256 as r || s, 64 bytes."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


def verify_raw(authority: x509.Certificate, data: bytes, signature: bytes) -> bool:
    """True if `signature` (64 bytes) is `sign_raw` of `data` with the authority's P-256 key."""
    key = authority.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or len(signature) != SIGNATURE_BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:_COORDINATE], signature[_COORDINATE:]))
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
