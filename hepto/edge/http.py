"""A small HTTP/1.1 client over TLS 1.3: h11 on asyncio streams. What a server sends is bounded in size and time.

Used for health probes and the bootstrap objects. One `Connection` serves one peer and many requests, one after the
other; nothing is retried, redirected or cached here. Everything that goes wrong is an HttpError with a named
reason; a status code is no error.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import h11

MAX_HEAD = 64 * 1024
"""Bytes of status line and headers."""
MAX_BODY = 8 * 1024 * 1024
"""Bytes of an answer's body: etcd's largest object is 1.5 MiB, lists are not asked for here."""
CHUNK = 64 * 1024
DEFAULT_TIMEOUT = 10.0
"""Seconds for connecting, and again for each request."""


class HttpReason(Enum):
    """Why there is no answer."""

    REFUSED = "connection refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "no answer in time"
    CERTIFICATE = "its certificate is not accepted"
    TLS = "TLS handshake failed"
    CLOSED = "connection closed"
    PROTOCOL = "not HTTP"
    TOO_LARGE = "answer too large"


class HttpError(Exception):
    """There is no answer, for a named reason."""

    def __init__(self, reason: HttpReason, detail: str = ""):
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def client_context(authority: str, pair: str | None = None, *, pem: bytes | None = None) -> ssl.SSLContext:
    """TLS 1.3 towards servers that the CA in file `authority` has signed; `pair` (a file) or `pem` is who we are.

    `pem` is certificate and key that exist in memory only: the library reads files, so it gets an anonymous one.
    Raises OSError (ssl.SSLError is one) when a file is missing or not a certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    context.load_verify_locations(authority)
    if pair is not None:
        context.load_cert_chain(pair)
    if pem is not None:
        descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
        try:
            view = memoryview(pem)
            while view:
                view = view[os.write(descriptor, view) :]
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    return context


class Connection:
    """One connection to `url`'s host and port; `async with` opens and closes it."""

    def __init__(
        self, url: str, tls: ssl.SSLContext | None, *, server_name: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ):
        """`tls` belongs to https and None to http; `server_name` is what the certificate must name if not the host."""
        parts = urlsplit(url)
        assert parts.hostname is not None, "a URL has a host"
        assert (parts.scheme == "https") == (tls is not None), "https and only https has TLS"
        self._host, self._port = parts.hostname, parts.port or (443 if tls else 80)
        self._authority = parts.netloc
        self._tls = tls
        self._server_name = server_name or parts.hostname if tls else None
        self._timeout = timeout
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._timeout):
                self._reader, self._writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, server_hostname=self._server_name, limit=CHUNK
                )
        except (OSError, TimeoutError) as error:
            raise _named(error) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    @property
    def reusable(self) -> bool:
        """True if another request may be sent: the last answer was read whole and the server keeps the connection."""
        return self._machine.our_state is h11.IDLE and self._reader is not None and not self._reader.at_eof()

    def abort(self) -> None:
        """Close at once."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Ask and read the whole answer. After an HttpError the connection is of no more use."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(method, path, headers or {}, body)
        except h11.RemoteProtocolError as error:
            raise HttpError(HttpReason.PROTOCOL, str(error)) from None
        except (OSError, TimeoutError) as error:
            raise _named(error) from None

    async def stream(self, method: str, path: str, body: bytes = b"") -> AsyncGenerator[bytes, None]:
        """Ask, and give the answer piece by piece, however long it is; the time limit is for each piece.

        A status other than 200 is an HttpError here. The connection is of no more use afterwards.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(method, path, {}, body)
            while True:
                async with asyncio.timeout(self._timeout):
                    event = await self._event()
                match event:
                    case h11.Response(status_code=status) if status != 200:
                        raise HttpError(HttpReason.PROTOCOL, f"status {status}")
                    case h11.Data(data=chunk):
                        yield bytes(chunk)
                    case h11.EndOfMessage():
                        return
                    case h11.Response() | h11.InformationalResponse():
                        pass
                    case _:
                        raise HttpError(HttpReason.CLOSED)
        except h11.RemoteProtocolError as error:
            raise HttpError(HttpReason.PROTOCOL, str(error)) from None
        except (OSError, TimeoutError) as error:
            raise _named(error) from None

    async def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        await self._send(method, path, headers, body)
        response: h11.Response | None = None
        received = bytearray()
        while True:
            match await self._event():
                case h11.InformationalResponse():
                    pass
                case h11.Response() as response:
                    pass
                case h11.Data(data=chunk):
                    received += chunk
                    if len(received) > MAX_BODY:
                        raise HttpError(HttpReason.TOO_LARGE, f"more than {MAX_BODY} bytes")
                case h11.EndOfMessage():
                    break
                case _:
                    raise HttpError(HttpReason.CLOSED)
        assert response is not None, "h11 never ends a message before its head"
        if self._machine.our_state is h11.DONE and self._machine.their_state is h11.DONE:
            self._machine.start_next_cycle()
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        return Response(response.status_code, fields, bytes(received))

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        assert self._writer is not None, "not open"
        head = {"Host": self._authority, "Accept": "application/json", **headers}
        if body:
            head["Content-Length"] = str(len(body))
        request = h11.Request(method=method, target=path, headers=list(head.items()))
        data = self._machine.send(request) or b""
        if body:
            data += self._machine.send(h11.Data(data=body)) or b""
        data += self._machine.send(h11.EndOfMessage()) or b""
        self._writer.write(data)
        await self._writer.drain()

    async def _event(self) -> object:
        assert self._reader is not None, "not open"
        while (event := self._machine.next_event()) is h11.NEED_DATA:
            self._machine.receive_data(await self._reader.read(CHUNK))
        return event


class Client:
    """One server that is asked again and again, over one connection: a handshake costs more than the question.

    A connection that the server closed, or whose certificate files were replaced, is opened anew. One question at a
    time.
    """

    def __init__(self, url: str, authority: str = "", pair: str = "", *, limit: float = DEFAULT_TIMEOUT):
        """`url` names scheme, host and port; `authority` and `pair` are files and belong to https."""
        self._url = url
        self._files = tuple(path for path in (authority, pair) if path)
        self._authority, self._pair = authority, pair
        self._limit = limit
        self._stamp: tuple[tuple[int, int], ...] = ()
        self._tls: ssl.SSLContext | None = None
        self._connection: Connection | None = None

    async def get(self, path: str) -> Response:
        """GET. Raises HttpError; OSError when a certificate file cannot be read."""
        self._renew()
        if self._connection is not None:
            try:
                return await self._connection.request("GET", path)
            except HttpError as error:
                await self.close()
                if error.reason not in (HttpReason.CLOSED, HttpReason.PROTOCOL):
                    raise
        connection = Connection(self._url, self._tls, timeout=self._limit)
        await connection.__aenter__()
        self._connection = connection
        try:
            return await connection.request("GET", path)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.__aexit__(None, None, None)

    def _renew(self) -> None:
        """Read the files again if another file has taken the place of one, or if the connection is spent."""
        if self._connection is not None and not self._connection.reusable:
            self._connection.abort()
            self._connection = None
        if not self._files:
            return
        found = [Path(path).stat() for path in self._files]
        stamp = tuple((status.st_ino, status.st_mtime_ns) for status in found)
        if stamp != self._stamp:
            if self._connection is not None:
                self._connection.abort()
                self._connection = None
            self._tls = client_context(self._authority, self._pair or None)
            self._stamp = stamp


async def get(url: str, tls: ssl.SSLContext | None, *, limit: float = DEFAULT_TIMEOUT) -> Response:
    """GET within `limit` seconds (and as many for connecting) over a connection of its own."""
    parts = urlsplit(url)
    async with Connection(url, tls, timeout=limit) as connection:
        return await connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/")


def _named(error: OSError | TimeoutError) -> HttpError:
    """The reason. The order matters: SSLError and TimeoutError are OSErrors too."""
    match error:
        case ssl.SSLCertVerificationError():
            return HttpError(HttpReason.CERTIFICATE, error.verify_message)
        case ssl.SSLError():
            return HttpError(HttpReason.TLS, error.reason or str(error))
        case TimeoutError():
            return HttpError(HttpReason.TIMEOUT)
        case ConnectionRefusedError():
            return HttpError(HttpReason.REFUSED)
        case ConnectionError():
            return HttpError(HttpReason.CLOSED)
        case _:
            return HttpError(HttpReason.UNREACHABLE, error.strerror or str(error))
