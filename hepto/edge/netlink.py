"""Netlink messages and attributes as bytes, and a socket that asks the kernel (netlink(7)).

Promises: what the kernel says is read whole (dumps of any size, restarted when the kernel says that things changed
meanwhile) and a refusal becomes an OSError that names the request. pyroute2 is not used on the node: importing any part
of it costs 14 MB and 90 ms of the build machine's time (about a second under emulation), more than all of the agent's
own code; the unit tests compare these bytes with pyroute2's.
"""

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import NamedTuple, Self

NETLINK_ROUTE = 0
NETLINK_GENERIC = 16

# include/uapi/linux/netlink.h
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x01
NLM_F_ACK = 0x04
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF
SOL_NETLINK = 270
NETLINK_EXT_ACK = 11
NETLINK_CAP_ACK = 10
NETLINK_GET_STRICT_CHK = 12
NLM_F_ACK_TLVS = 0x200
NLMSGERR_ATTR_MSG = 1

RECEIVE_BYTES = 1 << 18
"""More than the largest datagram that the kernel makes of a dump (32 KiB) or a message (a WireGuard device: 64 KiB)."""
ANSWER_SECONDS = 10.0
DUMP_TRIES = 10

_HEADER = struct.Struct("=LHHLL")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")


class Message(NamedTuple):
    kind: int
    flags: int
    sequence: int
    body: bytes


def encode(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One message with its header."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def decode(data: bytes) -> Iterator[Message]:
    """The messages of a datagram. Stops at the first that is cut off."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield Message(kind, flags, sequence, data[offset + _HEADER.size : offset + length])
        offset += _aligned(length)


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    length = _ATTRIBUTE.size + len(payload)
    return (_ATTRIBUTE.pack(length, kind) + payload).ljust(_aligned(length), b"\0")


def nested(kind: int, *payload: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(payload))


def attributes(data: bytes) -> Mapping[int, bytes]:
    """The attributes by their kind; of two with the same kind the last."""
    return dict(attribute_list(data))


def attribute_list(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in their order. Stops at the first that is cut off."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            return
        yield kind & NLA_TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def refusal(message: Message) -> tuple[int, str]:
    """The errno of an NLMSG_ERROR (0: an acknowledgement) and the kernel's own words, if it has any."""
    code = -int(_ERROR.unpack_from(message.body)[0]) if len(message.body) >= _ERROR.size else 0
    words = ""
    if message.flags & NLM_F_ACK_TLVS:  # with NETLINK_CAP_ACK only the header of the request comes back
        words = (
            attributes(message.body[_ERROR.size + _HEADER.size :]).get(NLMSGERR_ATTR_MSG, b"").rstrip(b"\0").decode()
        )
    return code, words


class Netlink:
    """A socket for requests; the kernel answers them before `sendto` returns, so nothing here waits for anything."""

    def __init__(self, protocol: int):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(ANSWER_SECONDS)
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def request(self, what: str, kind: int, body: bytes, flags: int = 0) -> None:
        """Ask for a change. Raises OSError with `what` in place of a file name."""
        self._send(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body)
        for _ in self._answers(what, until_done=False):
            pass

    def get(self, what: str, kind: int, body: bytes) -> list[Message]:
        """Ask for one thing; the messages before the acknowledgement."""
        self._send(kind, NLM_F_REQUEST | NLM_F_ACK, body)
        return list(self._answers(what, until_done=False))

    def dump(self, what: str, kind: int, body: bytes) -> list[Message]:
        """Ask for all there is, as one consistent picture where the kernel can tell."""
        answers: list[Message] = []
        for _ in range(DUMP_TRIES):
            self._send(kind, NLM_F_REQUEST | NLM_F_DUMP, body)
            answers = list(self._answers(what, until_done=True))
            if not any(answer.flags & NLM_F_DUMP_INTR for answer in answers):
                break
        return answers  # inconsistent ten times over: the change that made it so is announced and read again

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        self._socket.send(encode(kind, flags, self._sequence, body))

    def _answers(self, what: str, *, until_done: bool) -> Iterator[Message]:
        while True:
            for message in decode(self._socket.recv(RECEIVE_BYTES)):
                if message.sequence != self._sequence:
                    continue  # the rest of an answer that timed out
                if message.kind == NLMSG_ERROR:
                    code, words = refusal(message)
                    if code:
                        raise OSError(code, words or os.strerror(code), what)
                    return
                if message.kind == NLMSG_DONE:
                    return
                yield message
                if not until_done and message.flags & 0x2:  # NLM_F_MULTI goes on to NLMSG_DONE
                    until_done = True


def subscribe(protocol: int, groups: int) -> socket.socket:
    """A non-blocking socket on which the kernel announces changes. ENOBUFS on it: some were lost, read all again."""
    watcher = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
    watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    watcher.bind((0, groups))
    return watcher


def _aligned(length: int) -> int:
    return (length + 3) & ~3
