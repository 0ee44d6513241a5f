"""What pki keeps below a node's data directory: names of files and their contents. Pure.

    pki/ca.crt etcd-ca.crt front-proxy-ca.crt      certificates of the authorities; only ca.crt on workers
    pki/ca.pem etcd-ca.pem front-proxy-ca.pem      with their keys; masters
    pki/PROFILE.pem                                certificate and key in one file, so that one rename replaces both
    pki/service-account.pem, .pub                  signs tokens; masters
    pki/secrets-encryption.json                    key of Secrets in etcd; masters
    pki/grant, pki/master.json                     the node's grant, and the name and grant of its master
    pki/keyring.json                               gossip keys of who is enrolled: they outrank the configured one
    pki/revocations                                the newest list of revoked grants
    pki/register.json                              who belongs to the cluster; masters
    identity/identity.pem                          the node's Ed25519 key

`ca.crt` is written last of all that is made once: a directory that has it has belonged to a cluster and never makes
another (node lock, trust.md section 3).
"""

import base64
import json
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hepto.pki.issue import Issuer
from hepto.pki.profiles import Authority, Profile
from hepto.values import KEY_SIZES, Secret

SECRETBOX_KEY_BYTES = 32
SERVICE_ACCOUNT = "service-account.pem"
SERVICE_ACCOUNT_PUBLIC = "service-account.pub"
SECRETS_ENCRYPTION = "secrets-encryption.json"
IDENTITY = "identity.pem"
GRANT = "grant"
MASTER = "master.json"
KEYRING = "keyring.json"
ADMINS = "admins.json"
REVOCATIONS = "revocations"
REGISTER = "register.json"
BACKED_UP = (
    *(f"{which.value}.{end}" for which in Authority for end in ("crt", "pem")),
    SERVICE_ACCOUNT,
    SERVICE_ACCOUNT_PUBLIC,
    SECRETS_ENCRYPTION,
    REGISTER,
    GRANT,
    MASTER,
)
"""What a master cannot be made again without (trust.md section 1); its leaves it issues anew."""
BACKED_UP_IF_THERE = (KEYRING, ADMINS, REVOCATIONS)
SCHEMA = 1
"""Of master.json, keyring.json and admins.json."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Both in one PEM file."""
        return self.certificate.public_bytes(serialization.Encoding.PEM) + private_pem(self.key)


class UnreadableError(ValueError):
    """A file of pki holds something else."""


def pair_name(profile: Profile) -> str:
    """File with certificate and key of `profile`."""
    return f"{profile.name}.pem"


def authority_name(which: Authority) -> str:
    """File with the authority's certificate."""
    return f"{which.value}.crt"


def issuer_name(which: Authority) -> str:
    """File with the authority's certificate and key."""
    return f"{which.value}.pem"


def private_pem(key: PrivateKey) -> bytes:
    """A private key as PKCS #8."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_der(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as SubjectPublicKeyInfo, binary."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """A certificate alone."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def load_pair(data: bytes) -> Pair:
    """The reverse of Pair.pem. Raises UnreadableError, also when the key is not the certificate's."""
    try:
        certificate = x509.load_pem_x509_certificate(data)
        key = load_key(data[data.index(b"-----BEGIN PRIVATE KEY-----") :])
    except ValueError as error:
        raise UnreadableError(str(error)) from None
    if certificate.public_key() != key.public_key():
        raise UnreadableError("the key is not the certificate's")
    return Pair(certificate, key)


def load_key(data: bytes) -> ec.EllipticCurvePrivateKey:
    """A P-256 key. Raises UnreadableError."""
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise UnreadableError(str(error)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnreadableError("not a P-256 key")
    return key


def load_issuer(data: bytes) -> Issuer:
    """Certificate and key of an authority. Raises UnreadableError."""
    pair = load_pair(data)
    return Issuer(pair.certificate, pair.key)


def load_certificate(data: bytes) -> x509.Certificate:
    """A certificate. Raises UnreadableError."""
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def load_identity(data: bytes) -> ed25519.Ed25519PrivateKey:
    """The node's identity key. Raises UnreadableError."""
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise UnreadableError(str(error)) from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UnreadableError("not an Ed25519 key")
    return key


def secrets_encryption(key: bytes) -> bytes:
    """EncryptionConfiguration of the apiserver: Secrets with secretbox; what was stored in clear before can be read."""
    assert len(key) == SECRETBOX_KEY_BYTES
    provider = {"secretbox": {"keys": [{"name": "1", "secret": base64.b64encode(key).decode()}]}}
    value = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [provider, {"identity": {}}]}],
    }
    return _json(value)


def dump_master(name: str, grant: bytes) -> bytes:
    """The master that enrolled this node."""
    return _json({"schema": SCHEMA, "name": name, "grant": grant.hex()})


def load_master(data: bytes) -> tuple[str, bytes]:
    """The reverse. Raises UnreadableError."""
    match _load_json(data):
        case {"schema": 1, "name": str(name), "grant": str(grant)}:
            return name, _from_hex(grant)
    raise UnreadableError("not a master of this version")


def dump_keyring(keys: tuple[Secret, ...]) -> bytes:
    """Gossip keys, the primary one first."""
    return _json({"schema": SCHEMA, "keys": [key.reveal().hex() for key in keys]})


def load_keyring(data: bytes) -> tuple[Secret, ...]:
    """The reverse: at least one key. Raises UnreadableError."""
    match _load_json(data):
        case {"schema": 1, "keys": [_, *_] as keys} if all(isinstance(key, str) for key in keys):
            ring = tuple(Secret(_from_hex(key)) for key in keys)
            if all(len(key.reveal()) in KEY_SIZES for key in ring):
                return ring
    raise UnreadableError("not a keyring of this version")


def dump_admins(admins: tuple[str, ...]) -> bytes:
    """Public keys of the operators, as OpenSSH writes them."""
    return _json({"schema": SCHEMA, "admins": list(admins)})


def load_admins(data: bytes) -> tuple[str, ...]:
    """The reverse. Raises UnreadableError."""
    match _load_json(data):
        case {"schema": 1, "admins": [*admins]} if all(isinstance(text, str) for text in admins):
            return tuple(admins)
    raise UnreadableError("not a list of operators of this version")


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _load_json(data: bytes) -> object:
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None  # which would be quoted, and may be a key
    return value


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UnreadableError("not hex") from None
