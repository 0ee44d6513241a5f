"""One UDP socket on IPv6 under asyncio: many datagrams a wake-up, and the hosts that say nobody listens there.

Promises: `send` never raises and never blocks; a datagram that the kernel does not take is lost, as any may be. IPv4 is
not spoken: a datagram to such an address is lost, too.
"""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable

LARGEST = 65536
MOST_AT_ONCE = 64
"""Datagrams a wake-up: as many again come with the next, after timers and streams had their turn."""

_IPV6_RECVERR = 25  # include/uapi/linux/in6.h
_EXTENDED_ERROR = struct.Struct("=IB")  # errno and origin, the first fields of sock_extended_err (linux/errqueue.h)
_ORIGIN_ICMP6 = 3
_ANCILLARY_BYTES = 128
_TRIES = 3
"""An error that ICMP has brought for an earlier datagram is told by the next send, which then did not send."""

Received = Callable[[bytes, bytes, int], None]
"""Called with data, the sender's 16 bytes of address, and its port."""
Refused = Callable[[bytes, int], None]
"""Called with an address and a port at which nobody listens. A hint: whoever can guess ports can forge the message."""


class Datagrams:
    """Bound from construction (OSError if the address is taken) until `close`."""

    def __init__(self, ip: bytes, port: int, received: Received, refused: Refused):
        self._received = received
        self._refused = refused
        self._buffer = memoryview(bytearray(LARGEST))
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            self._socket.bind((text(ip), port))
            asyncio.get_running_loop().add_reader(self._socket, self._readable)
        except BaseException:
            self._socket.close()
            raise

    def send(self, ip: bytes, port: int, data: bytes) -> None:
        """Send, or lose it."""
        for _ in range(_TRIES):
            with contextlib.suppress(OSError):
                self._socket.sendto(data, (text(ip), port))
                return

    def close(self) -> None:
        """Nothing is called any more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        self._hear_errors()
        for _ in range(MOST_AT_ONCE):
            try:
                size, source = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:  # what _hear_errors reads at the next wake-up, or closed by what was called
                continue
            self._received(bytes(self._buffer[:size]), packed(source[0]), source[1])

    def _hear_errors(self) -> None:
        """Empty the error queue; while something is in it, the socket wakes us for ever."""
        for _ in range(MOST_AT_ONCE):
            try:
                _, ancillary, _, destination = self._socket.recvmsg(1, _ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for level, kind, data in ancillary:
                if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_RECVERR):
                    number, origin = _EXTENDED_ERROR.unpack_from(data)
                    if number == errno.ECONNREFUSED and origin == _ORIGIN_ICMP6:
                        self._refused(packed(destination[0]), destination[1])


def text(ip: bytes) -> str:
    """4 or 16 bytes as an IPv6 address is written; 4 bytes in their mapped form."""
    return socket.inet_ntop(socket.AF_INET6, ip if len(ip) == 16 else bytes(10) + b"\xff\xff" + ip)


def packed(host: str) -> bytes:
    """The reverse, of 16 bytes and without the zone of a link-local one."""
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
