"""What is around the messages of a datagram: label, encryption, checksum, compression, compound (wire, 2 and 6 to 10).

    label header | encrypted( checksum | compress( compound( messages )))

Each layer may be absent. Receivers take all of them however they are configured; the checksum is known only directly
inside the encryption. Nothing is expanded before it is authenticated, and all that one datagram expands to, however
deep, counts against one limit.
"""

import zlib
from collections.abc import Callable

from hepto.gossip import codec, dialect, limits, lzw
from hepto.gossip.keyring import NONCE, OVERHEAD, Keyring
from hepto.gossip.messages import PacketMessage
from hepto.gossip.reasons import GossipError, Reason
from hepto.gossip.wire import Opened

_CHECKSUM_BYTES = 5
_COMPOUND_BYTES = 2
COMPRESS_KINDS: dialect.Kinds = {b"Algo": 8, b"Buf": dialect.BYTES}
_LZW = 0


class PacketEnvelope:
    """The layers as one cluster has them; also the settings of its streams (stream.py).

    `random_bytes` gives that many bytes that nobody can guess, for nonces. `label` is the cluster's name or empty.
    Without a keyring nothing is encrypted. `verify_incoming` and `verify_outgoing` are switched off only to move a
    running cluster to encryption: then plain input is taken, or plain output sent, although there is a keyring.
    """

    def __init__(
        self,
        label: bytes,
        keyring: Keyring | None,
        *,
        random_bytes: Callable[[int], bytes],
        compress: bool = True,
        verify_incoming: bool = True,
        verify_outgoing: bool = True,
    ):
        if len(label) > limits.LABEL:
            raise ValueError(f"a label has at most {limits.LABEL} bytes")
        self.label = label
        self.keyring = keyring
        self.compress = compress
        self.verify_incoming = verify_incoming
        self.verify_outgoing = verify_outgoing
        self.label_header = bytes((codec.LABEL, len(label))) + label if label else b""
        self._random_bytes = random_bytes

    @property
    def overhead(self) -> int:
        """See wire.Envelope."""
        encryption = OVERHEAD if self.encrypts else 0
        return len(self.label_header) + encryption + _CHECKSUM_BYTES + _COMPOUND_BYTES

    def seal(self, parts: tuple[bytes, ...], *, checksum: bool = False) -> bytes:
        """See wire.Envelope."""
        data = self.shrink(parts[0] if len(parts) == 1 else _compound(parts))
        if checksum:
            data = bytes((codec.CHECKSUM,)) + zlib.crc32(data).to_bytes(4, "big") + data
        return self.label_header + self.encrypt(data, self.label)

    def open(self, data: bytes) -> Opened:
        """See wire.Envelope. The reasons may be any of those of the wire and of `codec.check`."""
        if not data:
            raise GossipError(Reason.EMPTY_PACKET)
        data = self._decrypted(self._without_label(data))
        if len(data) >= _CHECKSUM_BYTES and data[0] == codec.CHECKSUM:
            if zlib.crc32(data[_CHECKSUM_BYTES:]) != int.from_bytes(data[1:_CHECKSUM_BYTES], "big"):
                raise GossipError(Reason.CRC_MISMATCH)
            data = data[_CHECKSUM_BYTES:]
        unwrapping = _Unwrapping()
        unwrapping.take(data, 0)
        return Opened(tuple(unwrapping.messages), tuple(unwrapping.bad))

    # -- for streams too -------------------------------------------------------------------------------------------

    @property
    def encrypts(self) -> bool:
        """What is sent is encrypted."""
        return self.keyring is not None and self.verify_outgoing

    def encrypt(self, data: bytes, additional: bytes) -> bytes:
        """`data` as a block of `OVERHEAD` bytes more, or as it is."""
        if self.keyring is None or not self.verify_outgoing:
            return data
        return self.keyring.encrypt(self._random_bytes(NONCE), data, additional)

    def shrink(self, message: bytes) -> bytes:
        """A compressed form of `message` if it is shorter; else the message."""
        if not self.compress or not limits.COMPRESS_AT_LEAST <= len(message) <= limits.COMPRESS_AT_MOST:
            return message
        small = b"\x09\x82\xa4Algo\x00\xa3Buf" + dialect.raw(lzw.compress(message))
        return small if len(small) < len(message) else message

    def _without_label(self, data: bytes) -> bytes:
        header = self.label_header
        if data[0] != codec.LABEL:
            if header:
                raise GossipError(Reason.LABEL_MISMATCH, "no label")
            return data
        if header and data.startswith(header):
            return data[len(header) :]
        check_label(data[: 2 + limits.LABEL])
        raise GossipError(Reason.LABEL_MISMATCH)

    def _decrypted(self, data: bytes) -> bytes:
        if self.keyring is None:
            return data
        try:
            return self.keyring.decrypt(data, self.label)
        except GossipError:
            if self.verify_incoming:
                raise
            return data


def check_label(header: bytes) -> None:
    """Raises GossipError if a label header, which begins `header`, is malformed or cut short."""
    if len(header) < 2:
        raise GossipError(Reason.LABEL_TRUNCATED)
    if not header[1]:
        raise GossipError(Reason.LABEL_EMPTY)
    if len(header) < 2 + header[1]:
        raise GossipError(Reason.LABEL_TRUNCATED)


def expand(fields: codec.Fields, limit: int) -> bytes:
    """What a compress record holds, at most `limit` bytes of it. Raises GossipError."""
    if fields.get(b"Algo", _LZW) != _LZW:
        raise GossipError(Reason.COMPRESS_ALGO, str(fields[b"Algo"]))
    return lzw.expand(fields.get(b"Buf", b""), limit)


def _compound(parts: tuple[bytes, ...]) -> bytes:
    if not 1 <= len(parts) <= limits.COMPOUND_PARTS:
        raise ValueError(f"a datagram holds 1 to {limits.COMPOUND_PARTS} messages, not {len(parts)}")
    if not all(parts):
        raise ValueError("an empty part would end the process of receivers before 0.2.4")
    lengths = b"".join(len(part).to_bytes(2, "big") for part in parts)
    return bytes((codec.COMPOUND, len(parts))) + lengths + b"".join(parts)


class _Unwrapping:
    """One datagram on its way from layers to messages."""

    def __init__(self) -> None:
        self.messages: list[PacketMessage] = []
        self.bad: list[GossipError] = []
        self._expandable = limits.EXPANDED_PACKET

    def take(self, data: bytes, depth: int) -> None:
        """One message, wrapped or not. Raises GossipError if it is bad as a whole."""
        kind = data[0] if data else None
        if kind == codec.COMPOUND or kind == codec.COMPRESS:
            if depth >= limits.NESTING:
                raise GossipError(Reason.NESTED_TOO_DEEP)
            (self._compound if kind == codec.COMPOUND else self._compressed)(data, depth + 1)
            return
        message = codec.decode(data)
        codec.check(message)
        self.messages.append(message)

    def _compressed(self, data: bytes, depth: int) -> None:
        fields, _ = dialect.record(data, COMPRESS_KINDS, 1)
        content = expand(fields, self._expandable)
        self._expandable -= len(content)
        self.take(content, depth)

    def _compound(self, data: bytes, depth: int) -> None:
        """A bad part spoils only itself."""
        if len(data) < _COMPOUND_BYTES:
            raise GossipError(Reason.COMPOUND_NO_COUNT)
        count = data[1]
        start = _COMPOUND_BYTES + 2 * count
        if len(data) < start:
            raise GossipError(Reason.COMPOUND_LENGTHS_TRUNCATED)
        for place in range(_COMPOUND_BYTES, start, 2):
            end = start + int.from_bytes(data[place : place + 2], "big")
            if end > len(data):
                self.bad.append(GossipError(Reason.SHORT_READ, "a part reaches beyond the end"))
                return
            try:
                self.take(data[start:end], depth)
            except GossipError as error:
                self.bad.append(error)
            start = end
