"""The server side of `/run/hepto/init.sock`: verbs in, answers and a stream of statuses out (contract/control.py).

Promises: only uid 0 is heard (the kernel's word, besides the socket's mode); nothing here ever waits: a client that
does not read is dropped when `BACKLOG` packets wait for it; running out of descriptors is survived with a spare one.
"""

import errno
import json
import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from init import linux
from init.contract.control import MAX_PACKET, BadRequestError, Request, Verb, decode

BACKLOG = 512
MAX_CLIENTS = 64
READABLE, WRITABLE = 1, 4  # EPOLLIN, EPOLLOUT

Answer = dict[str, Any]
Reply = Callable[[Answer], None]
Handler = Callable[[Request, Reply], None]


class Poller(Protocol):
    """What the server needs of the loop."""

    def watch(self, descriptor: int, callback: Callable[[], None], events: int = READABLE) -> None: ...
    def forget(self, descriptor: int) -> None: ...


class Change(NamedTuple):
    """A phase or service and its status as plain JSON; None: it is gone."""

    kind: str
    name: str
    status: dict[str, Any] | None


def refusal(error: str, hint: str) -> Answer:
    """The answer to what is not done."""
    return {"ok": False, "error": error, "hint": hint}


class _Client:
    def __init__(self, sock: linux.Socket):
        self.sock = sock
        self.waiting: deque[bytes] = deque()
        self.streaming = False
        self.open = True


class Control:
    """The socket and its clients. `handle` answers a request now or later; `snapshot` gives a new stream its begin."""

    def __init__(self, poller: Poller, handle: Handler, snapshot: Callable[[], Iterable[Change]]):
        self._poller, self._handle, self._snapshot = poller, handle, snapshot
        self._server: linux.Socket | None = None
        self._clients: dict[int, _Client] = {}
        self._spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def open(self, server: linux.Socket) -> None:
        """Listen on a bound socket."""
        self._poller.watch(server.fileno(), self._accept)
        self._server = server  # last: it is by this that all is known to be open

    @property
    def descriptor(self) -> int:
        """Of the listening socket; -1 before there is one."""
        return self._server.fileno() if self._server is not None else -1

    def publish(self, changes: Iterable[Change]) -> None:
        """Tell all streams."""
        packets = [_encode(change._asdict()) for change in changes]
        for client in [client for client in self._clients.values() if client.streaming]:
            for packet in packets:
                self._send(client, packet)

    def drop_streams(self) -> None:
        """After an exception: a change may not have been told. Who asks again gets all."""
        for client in [client for client in self._clients.values() if client.streaming]:
            self._drop(client)

    def _accept(self) -> None:
        if self._server is None:
            return
        try:
            found = linux.accept(self._server)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            # Out of descriptors: without the spare one the client would wait, and the loop would spin on it.
            os.close(self._spare)
            self._spare = -1
            found = linux.accept(self._server)
            if found is not None:
                found[0].close()
            self._spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
            return
        if found is not None:
            self._admit(*found)

    def _admit(self, sock: linux.Socket, who: linux.Credentials) -> None:
        """Whatever is raised here, the peer is not left waiting for a connection that nobody looks at."""
        if who.uid != 0 or len(self._clients) >= MAX_CLIENTS:
            sock.close()
            return
        client = _Client(sock)
        try:
            self._clients[sock.fileno()] = client
            self._poller.watch(sock.fileno(), lambda: self._ready(client))
        except BaseException:
            self._drop(client)
            raise

    def _ready(self, client: _Client) -> None:
        """Serve a client. What is raised ends its connection, with the reason as far as that can be told: a packet that
        was read and is never answered would be waited for without end."""
        if not client.open:
            return
        try:
            self._serve(client)
        except BaseException as error:
            try:
                self._answer(client, refusal(f"PID 1 has a defect: {error!r}", "see hepto logs init"))
            finally:
                self._drop(client)
            raise

    def _serve(self, client: _Client) -> None:
        self._flush(client)
        try:
            packet = client.sock.recv(MAX_PACKET + 1)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._drop(client)
            return
        if len(packet) > MAX_PACKET:
            self._answer(client, refusal(f"larger than {MAX_PACKET} bytes", "see init/contract/control.py"))
            return
        try:
            request = decode(packet)
        except BadRequestError as error:
            self._answer(client, refusal(str(error), "see init/contract/control.py"))
            return
        if request.verb is Verb.STATUS:
            for change in self._snapshot():
                self._send(client, _encode(change._asdict()))
            self._answer(client, {"kind": "complete"})
            client.streaming = True
            return
        self._handle(request, lambda answer: self._answer(client, answer))

    def _answer(self, client: _Client, answer: Answer) -> None:
        self._send(client, _encode(answer))

    def _send(self, client: _Client, packet: bytes) -> None:
        if not client.open:
            return
        client.waiting.append(packet)
        self._flush(client)
        if client.open and len(client.waiting) > BACKLOG:
            self._drop(client)

    def _flush(self, client: _Client) -> None:
        before = bool(client.waiting)
        while client.waiting:
            try:
                client.sock.send(client.waiting[0])
            except BlockingIOError:
                break
            except OSError:
                self._drop(client)
                return
            client.waiting.popleft()
        if before:
            events = READABLE | WRITABLE if client.waiting else READABLE
            self._poller.watch(client.sock.fileno(), lambda: self._ready(client), events)

    def _drop(self, client: _Client) -> None:
        if client.open:
            client.open = False
            try:
                self._clients.pop(client.sock.fileno(), None)
                self._poller.forget(client.sock.fileno())
            finally:
                client.sock.close()


def _encode(value: dict[str, Any]) -> bytes:
    data = json.dumps(value).encode()
    if len(data) <= MAX_PACKET:
        return data
    return json.dumps({"ok": False, "error": "the answer does not fit into a packet", "hint": ""}).encode()
