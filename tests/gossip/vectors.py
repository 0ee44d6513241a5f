"""The recorded and crafted inputs of tests/vectors as values of ours (their README describes the files)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from hepto.gossip.keyring import Keyring
from hepto.gossip.messages import (
    Ack,
    Address,
    Alive,
    Dead,
    ErrorMessage,
    IndirectPing,
    Nack,
    NodeState,
    PacketMessage,
    Ping,
    PushPull,
    StreamMessage,
    Suspect,
    User,
)
from hepto.gossip.packet import PacketEnvelope

FOLDER = Path(__file__).parent.parent / "vectors"

Vector = dict[str, Any]  # Any: JSON


@cache
def load(name: str, transport: str = "") -> tuple[Vector, ...]:
    """The vectors of a file, of one transport or of all."""
    vectors: list[Vector] = json.loads((FOLDER / f"{name}.json").read_text())["vectors"]
    return tuple(vector for vector in vectors if transport in ("", vector["transport"]))


def envelope(vector: Vector, **settings: bool) -> PacketEnvelope:
    """That of the receiver. What it seals has a constant nonce."""
    keys = tuple(bytes.fromhex(key) for key in vector.get("keys", ()))
    label = vector.get("label", "").encode()
    return PacketEnvelope(label, Keyring(keys) if keys else None, random_bytes=bytes, **settings)


def message(expected: Vector) -> PacketMessage | StreamMessage:
    """A message of a vector's `expect`."""
    fields = expected.get("fields", {})
    match expected["type"]:
        case "ping":
            return Ping(_number(fields, "SeqNo"), _text(fields, "Node"), _source(fields), _text(fields, "SourceNode"))
        case "indirect-ping":
            target = Address(_bytes(fields, "Target"), _number(fields, "Port"))
            nack, source = bool(fields.get("Nack")), _source(fields)
            sequence = _number(fields, "SeqNo")
            return IndirectPing(sequence, target, _text(fields, "Node"), nack, source, _text(fields, "SourceNode"))
        case "ack":
            return Ack(_number(fields, "SeqNo"), _bytes(fields, "Payload"))
        case "nack":
            return Nack(_number(fields, "SeqNo"))
        case "error":
            return ErrorMessage(_text(fields, "Error"))
        case "suspect":
            return Suspect(_number(fields, "Incarnation"), _text(fields, "Node"), _text(fields, "From"))
        case "dead":
            return Dead(_number(fields, "Incarnation"), _text(fields, "Node"), _text(fields, "From"))
        case "alive":
            address, meta, versions = _member(fields)
            return Alive(_number(fields, "Incarnation"), _text(fields, "Node"), address, meta, versions)
        case "user":
            return User(bytes.fromhex(fields["body"]))
        case "push-pull":
            states = tuple(map(state, expected["states"]))
            return PushPull(states, bytes.fromhex(expected["user_state"]), fields["Join"])
    raise AssertionError(expected["type"])


def state(fields: Vector) -> NodeState:
    """A member of a push/pull."""
    address, meta, versions = _member(fields)
    status, incarnation = _number(fields, "State"), _number(fields, "Incarnation")
    return NodeState(_text(fields, "Name"), address, meta, incarnation, status, versions)


def _member(fields: Vector) -> tuple[Address, bytes, bytes]:
    return Address(_bytes(fields, "Addr"), _number(fields, "Port")), _bytes(fields, "Meta"), _bytes(fields, "Vsn")


def _source(fields: Vector) -> Address | None:
    ip, port = _bytes(fields, "SourceAddr"), _number(fields, "SourcePort")
    return Address(ip, port) if ip and port else None


def _number(fields: Vector, name: str) -> int:
    number: int = fields.get(name) or 0
    return number


def _text(fields: Vector, name: str) -> bytes:
    text: str = fields.get(name) or ""
    return text.encode("utf-8", "surrogateescape")


def _bytes(fields: Vector, name: str) -> bytes:
    return bytes.fromhex(fields.get(name) or "")
