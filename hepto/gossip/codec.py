"""Messages to bytes and back: type byte and record, as memberlist's Go library writes them (wire, sections 3 to 5).

`decode` gives what the bytes say; `check` says whether anybody should believe it. They are two steps since the vectors
of other implementations know only the first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from hepto.gossip import dialect, limits
from hepto.gossip.dialect import BOOLEAN, BYTES, SIGNED, TEXT, raw, signed, unsigned
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
    Suspect,
    User,
)
from hepto.gossip.reasons import GossipError, Reason

# The first byte of a message, or of what is around it.
PING, INDIRECT_PING, ACK, SUSPECT, ALIVE, DEAD, PUSH_PULL, COMPOUND, USER, COMPRESS, ENCRYPT, NACK = range(12)
CHECKSUM, ERROR, LABEL = 12, 13, 244

SPOKEN = 2
"""The protocol version that we, like all the library's releases, speak (wire, section 12)."""
UNDERSTOOD = 5
"""The highest that we understand: checksums."""

Message: TypeAlias = PacketMessage | ErrorMessage
Fields: TypeAlias = dict[bytes, Any]
"""Of a record; Any: the record's kinds say which type each value has."""

# -- encoding ------------------------------------------------------------------------------------------------------
# Keys in ASCII order, each with its length before it: a4 is text of four bytes.


def _source(message: Ping | IndirectPing) -> tuple[int, bytes]:
    """How many fields say where the sender is, and the fields."""
    count = 0
    fields = b""
    if message.source is not None:
        fields = b"\xaaSourceAddr" + raw(message.source.ip)
        count = 2
    if message.source_node:
        fields += b"\xaaSourceNode" + raw(message.source_node)
        count += 1
    if message.source is not None:
        fields += b"\xaaSourcePort" + unsigned(message.source.port)
    return count, fields


def _ping(message: Ping) -> bytes:
    count, source = _source(message)
    head = b"\x00" + bytes((0x82 + count,))
    return head + b"\xa4Node" + raw(message.node) + b"\xa5SeqNo" + unsigned(message.sequence) + source


def _indirect_ping(message: IndirectPing) -> bytes:
    count, source = _source(message)
    return b"".join(
        (
            b"\x01" + bytes((0x85 + count,)),
            b"\xa4Nack\xc3" if message.nack else b"\xa4Nack\xc2",
            b"\xa4Node" + raw(message.node),
            b"\xa4Port" + unsigned(message.target.port),
            b"\xa5SeqNo" + unsigned(message.sequence),
            source,
            b"\xa6Target" + raw(message.target.ip),
        )
    )


def _ack(message: Ack) -> bytes:
    payload = raw(message.payload) if message.payload else b"\xc0"
    return b"\x02\x82\xa7Payload" + payload + b"\xa5SeqNo" + unsigned(message.sequence)


def _accusation(message: Suspect | Dead) -> bytes:
    head = b"\x03\x83\xa4From" if type(message) is Suspect else b"\x05\x83\xa4From"
    incarnation = b"\xabIncarnation" + unsigned(message.incarnation)
    return head + raw(message.accuser) + incarnation + b"\xa4Node" + raw(message.node)


def _alive(message: Alive) -> bytes:
    return b"".join(
        (
            b"\x04\x86\xa4Addr" + raw(message.address.ip),
            b"\xabIncarnation" + unsigned(message.incarnation),
            b"\xa4Meta" + raw(message.meta),
            b"\xa4Node" + raw(message.node),
            b"\xa4Port" + unsigned(message.address.port),
            b"\xa3Vsn" + raw(message.versions),
        )
    )


def _nack(message: Nack) -> bytes:
    return b"\x0b\x81\xa5SeqNo" + unsigned(message.sequence)


def _user(message: User) -> bytes:
    return b"\x08" + message.data


def _error(message: ErrorMessage) -> bytes:
    return b"\x0d\x81\xa5Error" + raw(message.text)


# The type of a function's argument cannot be tied to the dictionary's key; `encode` is what callers see.
_ENCODERS: dict[type, Callable[..., bytes]] = {
    Ping: _ping,
    IndirectPing: _indirect_ping,
    Ack: _ack,
    Nack: _nack,
    Suspect: _accusation,
    Dead: _accusation,
    Alive: _alive,
    User: _user,
    ErrorMessage: _error,
}


def encode(message: Message) -> bytes:
    """One message with its type byte. A user message as in a datagram; on a stream it has a header (stream.py)."""
    return _ENCODERS[type(message)](message)


def encode_state(state: NodeState) -> bytes:
    """A member in a push/pull."""
    return b"".join(
        (
            b"\x87\xa4Addr" + raw(state.address.ip),
            b"\xabIncarnation" + unsigned(state.incarnation),
            b"\xa4Meta" + raw(state.meta),
            b"\xa4Name" + raw(state.name),
            b"\xa4Port" + unsigned(state.address.port),
            b"\xa5State" + signed(state.status),
            b"\xa3Vsn" + raw(state.versions),
        )
    )


# -- decoding ------------------------------------------------------------------------------------------------------

_SOURCE_KINDS = {b"SourceAddr": BYTES, b"SourcePort": 16, b"SourceNode": TEXT}
_PING_KINDS = {b"SeqNo": 32, b"Node": TEXT, **_SOURCE_KINDS}
_INDIRECT_KINDS = {b"SeqNo": 32, b"Target": BYTES, b"Port": 16, b"Node": TEXT, b"Nack": BOOLEAN, **_SOURCE_KINDS}
_ACK_KINDS = {b"SeqNo": 32, b"Payload": BYTES}
_NACK_KINDS = {b"SeqNo": 32}
_ERROR_KINDS = {b"Error": TEXT}
_ACCUSATION_KINDS = {b"Incarnation": 32, b"Node": TEXT, b"From": TEXT}
_MEMBER_KINDS = {b"Incarnation": 32, b"Addr": BYTES, b"Port": 16, b"Meta": BYTES, b"Vsn": BYTES}
_ALIVE_KINDS = {b"Node": TEXT, **_MEMBER_KINDS}
_STATE_KINDS = {b"Name": TEXT, b"State": SIGNED, **_MEMBER_KINDS}


def _given_source(fields: Fields) -> Address | None:
    """Where the sender wants its answer; half an address counts as none."""
    ip, port = fields.get(b"SourceAddr"), fields.get(b"SourcePort")
    return Address(ip, port) if ip and port else None


def _to_ping(fields: Fields) -> Ping:
    get = fields.get
    return Ping(get(b"SeqNo", 0), get(b"Node", b""), _given_source(fields), get(b"SourceNode", b""))


def _to_indirect_ping(fields: Fields) -> IndirectPing:
    get = fields.get
    target = Address(get(b"Target", b""), get(b"Port", 0))
    source = _given_source(fields)
    return IndirectPing(
        get(b"SeqNo", 0), target, get(b"Node", b""), get(b"Nack", False), source, get(b"SourceNode", b"")
    )


def _to_ack(fields: Fields) -> Ack:
    return Ack(fields.get(b"SeqNo", 0), fields.get(b"Payload", b""))


def _to_nack(fields: Fields) -> Nack:
    return Nack(fields.get(b"SeqNo", 0))


def _to_error(fields: Fields) -> ErrorMessage:
    return ErrorMessage(fields.get(b"Error", b""))


def _to_suspect(fields: Fields) -> Suspect:
    get = fields.get
    return Suspect(get(b"Incarnation", 0), get(b"Node", b""), get(b"From", b""))


def _to_dead(fields: Fields) -> Dead:
    get = fields.get
    return Dead(get(b"Incarnation", 0), get(b"Node", b""), get(b"From", b""))


def _to_alive(fields: Fields) -> Alive:
    get = fields.get
    address = Address(get(b"Addr", b""), get(b"Port", 0))
    return Alive(get(b"Incarnation", 0), get(b"Node", b""), address, get(b"Meta", b""), get(b"Vsn", b""))


def _to_state(fields: Fields) -> NodeState:
    get = fields.get
    address = Address(get(b"Addr", b""), get(b"Port", 0))
    incarnation, status = get(b"Incarnation", 0), get(b"State", 0)
    return NodeState(get(b"Name", b""), address, get(b"Meta", b""), incarnation, status, get(b"Vsn", b""))


class Record(NamedTuple):
    """How the body of a message is read."""

    kinds: dialect.Kinds
    build: Callable[[Fields], Message]


RECORDS = {
    PING: Record(_PING_KINDS, _to_ping),
    INDIRECT_PING: Record(_INDIRECT_KINDS, _to_indirect_ping),
    ACK: Record(_ACK_KINDS, _to_ack),
    SUSPECT: Record(_ACCUSATION_KINDS, _to_suspect),
    ALIVE: Record(_ALIVE_KINDS, _to_alive),
    DEAD: Record(_ACCUSATION_KINDS, _to_dead),
    NACK: Record(_NACK_KINDS, _to_nack),
    ERROR: Record(_ERROR_KINDS, _to_error),
}


def decode(data: bytes) -> PacketMessage:
    """One message of a datagram, believable or not. What follows it is ignored. Raises GossipError."""
    if not data:
        raise GossipError(Reason.MISSING_TYPE)
    kind = data[0]
    if kind == USER:
        return User(data[1:])
    record = RECORDS.get(kind)
    if record is None or kind == ERROR:
        raise GossipError(Reason.UNKNOWN_TYPE, str(kind))
    message = record.build(dialect.record(data, record.kinds, 1)[0])
    assert not isinstance(message, ErrorMessage)
    return message


def decode_state(data: bytes, position: int) -> tuple[NodeState, int]:
    """The member of a push/pull at `position`, believable or not, and where it ends. Raises GossipError."""
    fields, position = dialect.record(data, _STATE_KINDS, position)
    return _to_state(fields), position


# -- believing -----------------------------------------------------------------------------------------------------


def _name(name: bytes, least: int = 1) -> None:
    if not least <= len(name) <= limits.NAME:
        raise GossipError(Reason.BAD_NAME, f"{len(name)} bytes")


def _address(address: Address) -> None:
    if len(address.ip) not in (4, 16):
        raise GossipError(Reason.BAD_ADDRESS, f"{len(address.ip)} bytes")
    if not address.port:
        raise GossipError(Reason.BAD_PORT)


def _versions(versions: bytes) -> None:
    """With versions that do not fit, a member would make the push/pulls of all Go nodes fail (wire, section 12)."""
    if len(versions) != limits.VERSIONS:
        raise GossipError(Reason.BAD_VERSIONS, f"{len(versions)} bytes")
    least, most, current = versions[:3]
    if not (1 <= least <= SPOKEN <= most and least <= current <= min(most, UNDERSTOOD)):
        raise GossipError(Reason.BAD_VERSIONS, versions.hex())


def _check_ping(message: Ping) -> None:
    _name(message.node, 0)
    _name(message.source_node, 0)
    if message.source is not None:
        _address(message.source)


def _check_indirect_ping(message: IndirectPing) -> None:
    _name(message.node, 0)
    _name(message.source_node, 0)
    _address(message.target)
    if message.source is not None:
        _address(message.source)


def _check_accusation(message: Suspect | Dead) -> None:
    _name(message.node)
    _name(message.accuser, 0)


def _check_member(name: bytes, message: Alive | NodeState) -> None:
    _name(name)
    _address(message.address)
    if len(message.meta) > limits.META:
        raise GossipError(Reason.META_TOO_LARGE, f"{len(message.meta)} bytes")
    _versions(message.versions)


def _check_alive(message: Alive) -> None:
    _check_member(message.node, message)


_CHECKS: dict[type, Callable[..., None]] = {
    Ping: _check_ping,
    IndirectPing: _check_indirect_ping,
    Suspect: _check_accusation,
    Dead: _check_accusation,
    Alive: _check_alive,
}


def check(message: Message) -> None:
    """Refuse what is well-formed but not to be believed. Raises GossipError with a reason of our own policy."""
    checker = _CHECKS.get(type(message))
    if checker is not None:
        checker(message)


def check_state(state: NodeState) -> None:
    """The same for a member in a push/pull."""
    _check_member(state.name, state)
