"""The messages of a join and of a renewal, and what binds them together (trust.md section 3). Pure.

    node                                    signer
    Hello         ------------------------>         its nonce; a MAC by the gossip key, or its identity's signature
                  <------------------------ Welcome CA, master's name and grant, the signer's nonce, its time
    Sealed        ------------------------>         Request with signature, proof of the WireGuard key and MAC
                  <------------------------ Answered Response with MAC

All are msgpack maps with text keys; unknown keys are ignored, so that later versions can say more. `Request` and
`Response` travel as bytes inside the others: what is signed are bytes, not their meaning. The two exchanges differ in
their name, which is part of the transcript, and in the key of their MACs: of a join the gossip key's, of a renewal the
key that the WireGuard keys of node and master agree on, since a node that was away may have a retired gossip key.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Final

import msgpack

from hepto.pki.fields import KEY_BYTES, LARGEST, MAC_BYTES, SIGNATURE_BYTES, mac, signed
from hepto.pki.grant import BYTES as GRANT_BYTES
from hepto.pki.reasons import PkiError, Reason
from hepto.pki.revocations import MOST_BYTES as REVOCATIONS_BYTES
from hepto.values import KEY_SIZES, LABEL_NAME, Role

MOST_REQUEST: Final = 32 * 1024
"""Bytes of a hello, a join or a renewal."""
MOST_ANSWER: Final = 128 * 1024
"""Bytes of an answer; the list of revocations may be half of it."""
SHORTEST_NONCE: Final = 16
LONGEST_NONCE: Final = 64
MOST_CERTIFICATES: Final = 16
LARGEST_CERTIFICATE: Final = 4096
"""DER; ours have less than 1 KiB. Also of a CSR."""
MOST_KEYS: Final = 8
MOST_ADMINS: Final = 64
_LONGEST_TEXT: Final = 512


class Exchange(Enum):
    """Which of the two it is; the value names it in the transcript."""

    JOIN = "hepto join 1"
    RENEWAL = "hepto renewal 1"


@dataclass(frozen=True, slots=True)
class Hello:
    """The first word. It has a valid MAC, or a valid signature of an identity that the signer knows, or no answer."""

    nonce: bytes
    mac: bytes = b""
    identity: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The signer's answer to Hello."""

    authority: bytes
    """CA certificate, DER."""
    master: str
    grant: bytes
    """The master's."""
    nonce: bytes
    time: int
    """Unix milliseconds."""
    mac: bytes = b""
    """By the gossip key."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a node wants to be."""

    name: str
    role: Role
    identity: bytes
    wireguard: bytes
    csrs: Mapping[str, bytes]
    """PKCS #10, DER, by the profile's name. Only their public keys are used."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A Request on its way."""

    request: bytes
    nonce: bytes
    """The node's, as in Hello."""
    master_nonce: bytes
    signature: bytes
    """Of the transcript by the identity in the request."""
    possession: bytes
    """MAC of the transcript by what the WireGuard keys of node and master agree on."""
    mac: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """The signer's answer. What is empty is not said."""

    status: int
    reason: str = ""
    detail: str = ""
    fingerprint: str = ""
    grant: bytes = b""
    master: str = ""
    master_grant: bytes = b""
    revocations: bytes = b""
    certificates: Mapping[str, bytes] | None = None
    """DER by the profile's name."""
    time: int = 0
    """Unix milliseconds."""
    keys: tuple[bytes, ...] = ()
    """The gossip keyring, primary first."""
    admins: tuple[str, ...] = ()
    """Public keys of the operators, as OpenSSH writes them."""

    def __repr__(self) -> str:
        return f"Response({self.status}, {self.reason!r})"


@dataclass(frozen=True, slots=True)
class Answered:
    """A Response on its way. It may hold keys."""

    response: bytes = field(repr=False)
    mac: bytes


def transcript(exchange: Exchange, cluster: str, server_key: bytes, authority: bytes, sealed: Sealed) -> bytes:
    """What signature and MACs are about, 32 bytes: the conversation so far, and the TLS server it was held with."""
    fields = (cluster.encode(), server_key, authority, sealed.nonce, sealed.master_nonce, sealed.request)
    return hashlib.sha256(signed(exchange.value, *fields)).digest()


def hello_mac(key: bytes, hello: Hello) -> bytes:
    """By K_join."""
    return mac(key, "hepto hello 1", hello.nonce, hello.identity)


def hello_signed(cluster: str, hello: Hello) -> bytes:
    """What the identity of a renewing node signs."""
    return signed("hepto hello 1", cluster.encode(), hello.nonce, hello.identity)


def welcome_mac(key: bytes, hello_nonce: bytes, welcome: Welcome) -> bytes:
    """By K_join: nobody without the gossip key learns from a node what it wants to be."""
    said = (welcome.authority, welcome.master.encode(), welcome.grant, welcome.nonce, welcome.time.to_bytes(8, "big"))
    return mac(key, "hepto welcome 1", hello_nonce, *said)


def seal_signed(transcribed: bytes) -> bytes:
    """What the identity signs."""
    return signed("hepto identity 1", transcribed)


def possession_mac(key: bytes, transcribed: bytes) -> bytes:
    """By the key that the WireGuard keys agree on."""
    return mac(key, "hepto possession 1", transcribed)


def node_mac(key: bytes, transcribed: bytes) -> bytes:
    """Of the node's side."""
    return mac(key, "hepto node 1", transcribed)


def master_mac(key: bytes, transcribed: bytes, response: bytes) -> bytes:
    """Of the master's side."""
    return mac(key, "hepto master 1", transcribed, response)


def encode(message: Hello | Welcome | Request | Sealed | Response | Answered) -> bytes:
    """As msgpack."""
    encoded: bytes = msgpack.packb(asdict(message), use_bin_type=True)
    return encoded


def read_hello(data: bytes) -> Hello:
    """Raises PkiError(MALFORMED), as all that follow."""
    return Hello(**_read(data, MOST_REQUEST, _HELLO))


def read_welcome(data: bytes) -> Welcome:
    """The answer to a Hello."""
    return Welcome(**_read(data, MOST_ANSWER, _WELCOME))


def read_sealed(data: bytes) -> Sealed:
    """A Request on its way."""
    return Sealed(**_read(data, MOST_REQUEST, _SEALED))


def read_request(data: bytes) -> Request:
    """What was sealed."""
    return Request(**_read(data, MOST_REQUEST, _REQUEST))


def read_answered(data: bytes) -> Answered:
    """A Response on its way."""
    return Answered(**_read(data, MOST_ANSWER, _ANSWERED))


def read_response(data: bytes) -> Response:
    """What was answered."""
    return Response(**_read(data, MOST_ANSWER, _RESPONSE))


# -- fields --------------------------------------------------------------------------------------------------------

Check = Callable[[Any], Any]
"""Of one field: gives the value, or raises ValueError. Any: what msgpack has made of a stranger's bytes."""


def _bytes(*lengths: int) -> Check:
    return _blob(lambda length: length in lengths)


def _at_most(most: int, least: int = 0) -> Check:
    return _blob(lambda length: least <= length <= most)


def _blob(fits: Callable[[int], bool]) -> Check:
    def check(value: Any) -> bytes:
        if not isinstance(value, bytes) or not fits(len(value)):
            raise ValueError("not bytes of the right length")
        return value

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise ValueError("not a short text")
    return value


def _name(value: Any) -> str:
    return LABEL_NAME.parse(_text(value))


def _name_or_nothing(value: Any) -> str:
    return _name(value) if value else _text(value)


def _role(value: Any) -> Role:
    return Role(_text(value))


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError("not a number")
    return value


def _blobs(value: Any) -> dict[str, bytes]:
    if not isinstance(value, dict) or len(value) > MOST_CERTIFICATES:
        raise ValueError("not a few certificates by name")
    check = _at_most(LARGEST_CERTIFICATE, 1)
    return {_name(name): check(item) for name, item in value.items()}


def _blobs_or_nothing(value: Any) -> dict[str, bytes] | None:
    return None if value is None else _blobs(value)


def _keys(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > MOST_KEYS:
        raise ValueError("not a few keys")
    check = _bytes(*KEY_SIZES)
    return tuple(check(item) for item in value)


def _admins(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_ADMINS:
        raise ValueError("not a few public keys")
    return tuple(map(_text, value))


_NONCE: Final = _at_most(LONGEST_NONCE, SHORTEST_NONCE)
_KEY: Final = _bytes(KEY_BYTES)
_SIGNATURE: Final = _bytes(SIGNATURE_BYTES)
_MAC: Final = _bytes(MAC_BYTES)
_HELLO: Final[dict[str, Check]] = {
    "nonce": _NONCE,
    "mac": _bytes(0, MAC_BYTES),
    "identity": _bytes(0, KEY_BYTES),
    "signature": _bytes(0, SIGNATURE_BYTES),
}
_WELCOME: Final[dict[str, Check]] = {
    "authority": _at_most(LARGEST_CERTIFICATE, 1),
    "master": _name,
    "grant": _bytes(GRANT_BYTES),
    "nonce": _NONCE,
    "time": _number,
    "mac": _MAC,
}
_REQUEST: Final[dict[str, Check]] = {
    "name": _name,
    "role": _role,
    "identity": _KEY,
    "wireguard": _KEY,
    "csrs": _blobs,
}
_SEALED: Final[dict[str, Check]] = {
    "request": _at_most(MOST_REQUEST, 1),
    "nonce": _NONCE,
    "master_nonce": _NONCE,
    "signature": _SIGNATURE,
    "possession": _MAC,
    "mac": _MAC,
}
_ANSWERED: Final[dict[str, Check]] = {"response": _at_most(MOST_ANSWER, 1), "mac": _MAC}
_RESPONSE: Final[dict[str, Check]] = {
    "status": _number,
    "reason": _text,
    "detail": _text,
    "fingerprint": _text,
    "grant": _bytes(0, GRANT_BYTES),
    "master": _name_or_nothing,
    "master_grant": _bytes(0, GRANT_BYTES),
    "revocations": _at_most(REVOCATIONS_BYTES),
    "certificates": _blobs_or_nothing,
    "time": _number,
    "keys": _keys,
    "admins": _admins,
}


def _read(data: bytes, most: int, checks: Mapping[str, Check]) -> dict[str, Any]:
    if len(data) > most:
        raise PkiError(Reason.MALFORMED, f"more than {most} bytes")
    try:
        value = msgpack.unpackb(data, raw=False, max_map_len=64, max_array_len=64)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise PkiError(Reason.MALFORMED, "not msgpack") from None
    if not isinstance(value, dict):
        raise PkiError(Reason.MALFORMED, "not a map")
    fields = {}
    for name, check in checks.items():
        try:
            fields[name] = check(value[name])
        except (ValueError, KeyError) as error:
            what = "missing" if isinstance(error, KeyError) else str(error)
            raise PkiError(Reason.MALFORMED, f"{name}: {what}") from None
    return fields
