"""One message on a connection, written and read (wire, section 11). No framing: a message ends where its parts end.

    [label header, from the initiator only] [type 10, length, encrypted block] [compress] message

`StreamReader` takes bytes as they come and promises: what is announced is checked against the limit before anything
is kept for it; a part of a message that has been read is not read again; a message comes out as soon as its last byte
is there, for nobody half-closes.
"""

import sys
from collections.abc import Generator
from typing import TypeAlias, TypeVar

from hepto.gossip import codec, dialect, limits
from hepto.gossip.dialect import TruncatedError
from hepto.gossip.keyring import OVERHEAD
from hepto.gossip.messages import Ack, ErrorMessage, NodeState, Ping, PushPull, StreamMessage, User
from hepto.gossip.packet import COMPRESS_KINDS, PacketEnvelope, expand
from hepto.gossip.reasons import GossipError, Reason

_BLOCK_HEADER = 5
_HEADER_KINDS = {b"Nodes": dialect.SIGNED, b"UserStateLen": dialect.SIGNED, b"Join": dialect.BOOLEAN}
_USER_KINDS = {b"UserMsgLen": dialect.SIGNED}
_PLAIN_RECORDS = (codec.PING, codec.ACK, codec.ERROR)
_ENDLESS = sys.maxsize
"""Of a source that holds all that there is: asking for more is an error of its content, not of its size."""

# -- writing -------------------------------------------------------------------------------------------------------


def encode(message: StreamMessage, envelope: PacketEnvelope, *, initiator: bool) -> bytes:
    """All that one side sends. `initiator`: we opened the connection, so the label's header goes first."""
    data = envelope.shrink(_encoded(message))
    if envelope.encrypts:
        header = bytes((codec.ENCRYPT,)) + (len(data) + OVERHEAD).to_bytes(4, "big")
        data = header + envelope.encrypt(data, header + envelope.label)
    return envelope.label_header + data if initiator else data


def _encoded(message: StreamMessage) -> bytes:
    if isinstance(message, PushPull):
        return _push_pull(message)
    if isinstance(message, User):
        return b"\x08\x81\xaaUserMsgLen" + dialect.signed(len(message.data)) + message.data
    return codec.encode(message)


def _push_pull(message: PushPull) -> bytes:
    header = (
        b"\x06\x83\xa4Join" + (b"\xc3" if message.join else b"\xc2"),
        b"\xa5Nodes" + dialect.signed(len(message.states)),
        b"\xacUserStateLen" + dialect.signed(len(message.user_state)),
    )
    return b"".join((*header, *map(codec.encode_state, message.states), message.user_state))


# -- reading -------------------------------------------------------------------------------------------------------

_Want: TypeAlias = tuple[int, Reason]
"""How many bytes have to be there before reading goes on, and what is wrong if they never come."""
_T = TypeVar("_T")
_Reading: TypeAlias = Generator[_Want, None, _T]


class StreamReader:
    """Reads what the other side sends: its one message, or a GossipError, and then nothing more.

    `initiator`: we opened the connection, so what comes is an answer and has no label header. `limit` is the most
    bytes that the message, or its encrypted block, may have on the wire, and the most that it may expand to.
    """

    def __init__(self, envelope: PacketEnvelope, limit: int, *, initiator: bool):
        self._source = _Source(len(envelope.label_header) + _BLOCK_HEADER + limit)
        self._reading = _stream(self._source, envelope, limit, initiator)
        self._want = next(self._reading)
        self._done = False

    def feed(self, data: bytes) -> StreamMessage | None:
        """Take in what has come. The message, once, when it is complete. Raises GossipError."""
        if self._done:
            return None
        fits = self._source.add(data)
        if self._source.size >= self._want[0]:
            self._source.settle()
            try:
                self._want = next(self._reading)
            except StopIteration as stop:
                self._finish()
                message: StreamMessage = stop.value
                return message
            except GossipError:
                self._finish()
                raise
        if not fits:
            self._finish()
            raise GossipError(Reason.STREAM_TOO_LARGE)
        return None

    def eof(self) -> None:
        """The other side has closed. Raises GossipError if the message is not complete."""
        if not self._done:
            self._finish()
            raise GossipError(self._want[1])

    def _finish(self) -> None:
        self._done = True
        self._source = _Source(0)


class _Source:
    """Bytes that have come: `data` from `position` on, and what was added since the last `settle`."""

    def __init__(self, limit: int, data: bytes = b""):
        self.data = data
        self.position = 0
        self._added: list[bytes] = []
        self._pending = 0
        self._room = limit

    @property
    def size(self) -> int:
        """Bytes that are unread."""
        return len(self.data) - self.position + self._pending

    def add(self, data: bytes) -> bool:
        """Keep what has come, up to the limit; false if something was beyond it."""
        kept = data[: self._room]
        self._added.append(kept)
        self._pending += len(kept)
        self._room -= len(kept)
        return len(kept) == len(data)

    def settle(self) -> None:
        """Make all bytes readable. To join them late keeps the cost of a long message linear."""
        self.data = b"".join((self.data[self.position :], *self._added))
        self.position = 0
        self._added.clear()
        self._pending = 0

    def wait(self, count: int, reason: Reason) -> _Reading[None]:
        """Until `count` bytes are unread. Raises GossipError if there is no room for them."""
        while self.size < count:
            if count - self.size > self._room:
                raise GossipError(Reason.STREAM_TOO_LARGE, f"{count} bytes announced")
            yield count, reason

    def take(self, count: int, reason: Reason) -> _Reading[bytes]:
        """The next `count` bytes."""
        yield from self.wait(count, reason)
        self.position += count
        return self.data[self.position - count : self.position]

    def record(self, kinds: dialect.Kinds) -> _Reading[codec.Fields]:
        """The next record."""
        while True:
            try:
                fields, self.position = dialect.record(self.data, kinds, self.position)
            except TruncatedError as error:
                yield from self.wait(error.needed - self.position, Reason.MSGPACK_INVALID)
            else:
                return fields


def _complete(reading: _Reading[_T]) -> _T:
    """Read from a source to which nothing will be added."""
    try:
        _, reason = next(reading)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    raise GossipError(reason)


def _stream(source: _Source, envelope: PacketEnvelope, limit: int, initiator: bool) -> _Reading[StreamMessage]:
    if not initiator:
        yield from _label(source, envelope.label)
    kind = (yield from source.take(1, Reason.EMPTY_STREAM))[0]
    if kind == codec.ENCRYPT:
        content = _Source(_ENDLESS, (yield from _block(source, envelope, limit)))
        kind = _complete(content.take(1, Reason.MISSING_TYPE))[0]
        return _complete(_content(content, kind, limit))
    if envelope.keyring is not None and envelope.verify_incoming:
        raise GossipError(Reason.STREAM_NOT_ENCRYPTED)
    return (yield from _content(source, kind, limit))


def _label(source: _Source, label: bytes) -> _Reading[None]:
    yield from source.wait(1, Reason.EMPTY_STREAM)
    if source.data[source.position] == codec.LABEL:
        header = yield from source.take(2, Reason.LABEL_TRUNCATED)
        if not header[1]:
            raise GossipError(Reason.LABEL_EMPTY)
        if (yield from source.take(header[1], Reason.LABEL_TRUNCATED)) == label:
            return
    elif not label:
        return
    raise GossipError(Reason.LABEL_MISMATCH)


def _block(source: _Source, envelope: PacketEnvelope, limit: int) -> _Reading[bytes]:
    """What an encrypted block holds. What follows it is not part of the message, whatever the message says."""
    if envelope.keyring is None:
        raise GossipError(Reason.STREAM_ENCRYPTED_NO_KEYRING)
    length = yield from source.take(_BLOCK_HEADER - 1, Reason.SHORT_READ)
    size = int.from_bytes(length, "big")
    if size > limit:
        raise GossipError(Reason.STREAM_TOO_LARGE, f"{size} bytes announced")
    block = yield from source.take(size, Reason.SHORT_READ)
    return envelope.keyring.decrypt(block, bytes((codec.ENCRYPT,)) + length + envelope.label)


def _content(source: _Source, kind: int, limit: int) -> _Reading[StreamMessage]:
    """The message, compressed once or not."""
    if kind != codec.COMPRESS:
        return (yield from _message(source, kind))
    expanded = _Source(_ENDLESS, expand((yield from source.record(COMPRESS_KINDS)), limit))
    return _complete(_message(expanded, _complete(expanded.take(1, Reason.MISSING_TYPE))[0]))


def _message(source: _Source, kind: int) -> _Reading[StreamMessage]:
    if kind == codec.PUSH_PULL:
        return (yield from _read_push_pull(source))
    if kind == codec.USER:
        size = (yield from source.record(_USER_KINDS)).get(b"UserMsgLen", 0)
        if not 0 <= size <= limits.STREAM_PAYLOAD:
            raise GossipError(Reason.USER_LENGTH, str(size))
        return User((yield from source.take(size, Reason.SHORT_READ)))
    if kind not in _PLAIN_RECORDS:
        raise GossipError(Reason.UNKNOWN_TYPE, str(kind))
    record = codec.RECORDS[kind]
    message = record.build((yield from source.record(record.kinds)))
    assert isinstance(message, Ping | Ack | ErrorMessage)
    codec.check(message)
    return message


def _read_push_pull(source: _Source) -> _Reading[PushPull]:
    header = yield from source.record(_HEADER_KINDS)
    count, size = header.get(b"Nodes", 0), header.get(b"UserStateLen", 0)
    if not 0 <= count <= limits.NODE_STATES:
        raise GossipError(Reason.PUSH_PULL_NODES, str(count))
    if not 0 <= size <= limits.STREAM_PAYLOAD:
        raise GossipError(Reason.PUSH_PULL_USER_LENGTH, str(size))
    states: list[NodeState] = []
    refused: list[Reason] = []
    while len(states) + len(refused) < count:
        try:
            state, source.position = codec.decode_state(source.data, source.position)
        except TruncatedError as error:
            yield from source.wait(error.needed - source.position, Reason.MSGPACK_INVALID)
            continue
        try:
            codec.check_state(state)
        except GossipError as error:
            refused.append(Reason(error.reason))
            if len(refused) > limits.REFUSED_STATES:
                raise
        else:
            states.append(state)
    user_state = yield from source.take(size, Reason.SHORT_READ)
    return PushPull(tuple(states), user_state, header.get(b"Join", False), tuple(refused))
