"""ICMPv6 echo requests of a given size that are never fragmented, by a raw socket (RFC 4443 section 4).

Promises: a request is sent whatever MTU its route has (the interface's is the limit), so that a path which is held for
small can be tried again; answers to other programs' requests are not seen.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

ECHO_REQUEST, ECHO_REPLY = 128, 129
ICMP6_FILTER = 1  # include/uapi/linux/icmpv6.h
IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, IPV6_DONTFRAG = 23, 3, 62  # include/uapi/linux/in6.h
IPV6_HEADER = 40

_ECHO = struct.Struct("!BBHHH")


class Echo:
    """Sends and receives through one interface, with one source."""

    def __init__(self, interface: str, source: IPv6Address):
        """Raises OSError."""
        self._identifier = os.getpid() & 0xFFFF
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6)
        with contextlib.ExitStack() as stack:
            stack.callback(self._socket.close)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            self._socket.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, _only(ECHO_REPLY))
            self._socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)
            self._socket.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 1)
            self._socket.bind((str(source), 0))
            stack.pop_all()

    def fileno(self) -> int:
        """For a loop to wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def send(self, address: IPv6Address, sequence: int, size: int) -> None:
        """One request, `size` bytes with the IPv6 header. Raises OSError (EMSGSIZE: more than the interface's MTU)."""
        self._socket.sendto(request(self._identifier, sequence, size), (str(address), 0))

    def receive(self) -> Iterator[tuple[IPv6Address, int]]:
        """Whose answers have come, and their sequence numbers."""
        while True:
            try:
                data, sender = self._socket.recvfrom(_ECHO.size)
            except OSError:  # BlockingIOError: that was all; else an error of an earlier request, its answer is missed
                return
            sequence = reply(data, self._identifier)
            if sequence is not None:
                yield IPv6Address(sender[0].partition("%")[0]), sequence


def request(identifier: int, sequence: int, size: int) -> bytes:
    """The message; the kernel fills in its checksum."""
    return _ECHO.pack(ECHO_REQUEST, 0, 0, identifier, sequence).ljust(size - IPV6_HEADER, b"\0")


def reply(data: bytes, identifier: int) -> int | None:
    """The sequence number of an answer to a request of ours, None for anything else."""
    if len(data) < _ECHO.size:
        return None
    kind, code, _, whose, sequence = _ECHO.unpack_from(data)
    return sequence if (kind, code, whose) == (ECHO_REPLY, 0, identifier) else None


def _only(kind: int) -> bytes:
    """The filter that lets one type in: an array of 32-bit words in the machine's order."""
    words = [0xFFFFFFFF] * 8
    words[kind // 32] &= ~(1 << kind % 32)
    return struct.pack("=8I", *words)
