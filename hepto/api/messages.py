"""What operators and nodes say to each other at /v1/operator: msgpack maps with text keys, bounded and checked. Pure.

    operator                                node
    Hello          ----------------------->         a nonce, proof of the gossip key
                   <----------------------- Welcome its name, CA and nonce, proof of the key for this TLS server
    Signed         ----------------------->         an order to this node with its nonce, signed with an SSH key
                   <----------------------- result  or Refusal

Unknown keys are ignored. Reading any bytes gives a message or raises PeerError.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

import msgpack

from hepto.api.proof import NONCE_BYTES, PROOF_BYTES
from hepto.errors import PeerError

HELLO_NAME: Final = "hepto operator 1"
WELCOME_NAME: Final = "hepto operator answer 1"
MALFORMED: Final = "malformed"
MOST_REQUEST: Final = 32 * 1024
MOST_RESULT: Final = 4 << 20
_MOST_CERTIFICATE: Final = 4096
_MOST_TEXT: Final = 1024
_MOST_ITEMS: Final = 100_000
_NESTING: Final = 16


@dataclass(frozen=True, slots=True)
class AnyMessage:
    """One of those that follow: fields are texts and bytes."""


@dataclass(frozen=True, slots=True)
class Hello(AnyMessage):
    nonce: bytes
    proof: bytes
    """MAC of HELLO_NAME over `nonce` and the TLS server's key: what one server has heard is of no use to another."""


@dataclass(frozen=True, slots=True)
class Welcome(AnyMessage):
    node: str
    authority: bytes
    """DER."""
    nonce: bytes
    """For one order, within a minute."""
    proof: bytes = b""
    """MAC of WELCOME_NAME over both nonces, the TLS server's key, `node` and `authority`."""


@dataclass(frozen=True, slots=True)
class Signed(AnyMessage):
    nonce: bytes
    """That of the order: whoever does not know one gets no answer."""
    order: bytes
    signature: bytes = field(repr=False)
    """SSHSIG, armoured."""


@dataclass(frozen=True, slots=True)
class Refusal(AnyMessage):
    """Two lines for a person."""

    what: str
    hint: str


Message = TypeVar("Message", bound=AnyMessage)

_FIXED: Final = {"nonce": NONCE_BYTES, "proof": PROOF_BYTES}
_MOST: Final = {"authority": _MOST_CERTIFICATE, "order": MOST_REQUEST, "signature": MOST_REQUEST}


def encode(message: AnyMessage) -> bytes:
    """As msgpack."""
    data: bytes = msgpack.packb(asdict(message), use_bin_type=True)
    return data


def read(kind: type[Message], data: bytes) -> Message:
    """The reverse. Raises PeerError(MALFORMED)."""
    if len(data) > MOST_REQUEST:
        raise PeerError(MALFORMED, f"more than {MOST_REQUEST} bytes")
    value = _unpack(data)
    if not isinstance(value, dict):
        raise PeerError(MALFORMED, "not a map")
    return kind(**{name: _field(value, name, annotation) for name, annotation in kind.__annotations__.items()})


def _field(value: Mapping[str, Any], name: str, annotation: type) -> Any:
    """Any: of the type that the class says, which the type checker cannot see."""
    found: Any = value.get(name)
    if not _is(found, annotation):
        raise PeerError(MALFORMED, f"{name} is missing, or no {annotation.__name__}")
    if annotation is str:
        if len(found) > _MOST_TEXT or not found.isprintable():
            raise PeerError(MALFORMED, f"{name} is no short text")
    elif len(found) != _FIXED[name] if name in _FIXED else len(found) > _MOST[name]:
        raise PeerError(MALFORMED, f"{name} has a wrong length")
    return found


def _is(value: object, annotation: type) -> bool:
    return type(value) is annotation


def encode_result(value: object) -> bytes:
    """Whatever JSON can say, as the answer to an order."""
    data: bytes = msgpack.packb({"result": value}, use_bin_type=True)
    return data


def read_result(data: bytes) -> object:
    """The reverse. Raises PeerError(MALFORMED)."""
    if len(data) > MOST_RESULT:
        raise PeerError(MALFORMED, f"more than {MOST_RESULT} bytes")
    value = _unpack(data)
    if not isinstance(value, dict) or "result" not in value or not _is_json(value["result"], _NESTING):
        raise PeerError(MALFORMED, "no result")
    found: object = value["result"]
    return found


def _is_json(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and _is_json(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return value is None or isinstance(value, str | int | float | bool)


def _unpack(data: bytes) -> Any:
    """Any: what a stranger's bytes say."""
    try:
        return msgpack.unpackb(data, raw=False, max_map_len=_MOST_ITEMS, max_array_len=_MOST_ITEMS)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise PeerError(MALFORMED, "not msgpack") from None
