"""The apiserver on the host's [::1]: what is on a macvlan cannot be reached from its own host.

Bytes are passed on as they are; TLS is between the caller and the apiserver. The far ends are sockets in the node's
network namespace.
"""

import asyncio
import contextlib
import socket
from typing import Final

from hepto.edge import namespaces

LOOPBACK: Final = "::1"
FIRST_PORT, PORTS = 6443, 100
CHUNK: Final = 64 * 1024
CONNECT_SECONDS: Final = 5.0


def listen(first: int = FIRST_PORT, ports: int = PORTS) -> socket.socket:
    """A listener on [::1] of the host, at the first port from `first` on that is free. Raises OSError."""
    refused: OSError | None = None
    for port in range(first, first + ports):
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            listener.listen()
        except OSError as error:
            listener.close()
            refused = error
        else:
            listener.setblocking(False)
            return listener
    raise refused or OSError("no port")


class Relay:
    """Passes connections on while the node has a network namespace."""

    def __init__(self, listener: socket.socket, port: int = FIRST_PORT):
        self._listener, self._port = listener, port
        self._network = -1
        self._connections: set[asyncio.Task[None]] = set()

    def lead_to(self, network: int) -> None:
        """The namespace of the node's present boot; -1: none."""
        self._network = network

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                near, _ = await loop.sock_accept(self._listener)
                task = asyncio.create_task(self._serve(near))
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
        finally:
            for task in self._connections:
                task.cancel()

    async def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError, TimeoutError):
            near.setblocking(False)
            with self._far() as far:
                far.setblocking(False)
                async with asyncio.timeout(CONNECT_SECONDS):
                    await asyncio.get_running_loop().sock_connect(far, (LOOPBACK, self._port))
                await asyncio.gather(_copy(near, far), _copy(far, near))

    def _far(self) -> socket.socket:
        with namespaces.entered_network(self._network):
            return socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)


async def _copy(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, CHUNK):
        await loop.sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)
