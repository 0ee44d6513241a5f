"""Requests to the node API on one stream: h11 over TLS, bounded in size; who answers is verified by the cluster's CA.

A connection that is closed without an answer is `CLOSED`: the other side does not say why it refuses (proof.py).
"""

import ssl
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final

import h11
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hepto.api.routes import MEDIA_TYPE
from hepto.edge.http_server import key_hash
from hepto.edge.streams import TlsStream
from hepto.errors import PeerError
from hepto.given import shorten
from hepto.pki.verify import UNREADABLE

MAX_HEAD: Final = 16 * 1024
MAX_BODY: Final = 4 << 20
"""Bytes of an answer that is read whole: certificates, a list of revocations, the status of a node."""
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h)."""


class Failure(StrEnum):
    """Why a candidate was of no help, as a person reads it."""

    SILENT = "does not answer"
    REFUSED = "refuses connections"
    UNREACHABLE = "cannot be reached"
    NOT_HEPTO = "is not hepto"
    ANOTHER_CLUSTER = "belongs to another cluster"
    WRONG_KEY = "does not accept the key"
    NO_MASTER = "knows no such node"
    BUSY = "is busy"
    CLOSED = "closed the connection"
    CERTIFICATE = "is not who it should be"
    BAD_ANSWER = "gave a wrong answer"
    REJECTED = "refuses"


class CallError(Exception):
    """No answer that helps, for a named reason."""

    def __init__(self, failure: Failure, detail: str = "", cause: PeerError | None = None):
        super().__init__(f"{failure.value}: {detail}" if detail else failure.value)
        self.failure = failure
        self.detail = detail
        self.cause = cause


def anyone() -> ssl.SSLContext:
    """TLS 1.3 with whoever answers: the caller binds the server's key to something that it can verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def cluster(authority: x509.Certificate, *, clock: bool = True) -> ssl.SSLContext:
    """TLS 1.3 with servers of the cluster with this CA. The name is checked by `named` after the handshake.

    With `clock` False validity in time is not judged: who was off for months does not know what time it is.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # an underlay address is in no certificate; the URI names the node
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    if not clock:
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=authority.public_bytes(Encoding.PEM).decode("ascii"))
    return context


def certificate_of(stream: TlsStream) -> x509.Certificate:
    """The one that the server has shown. Raises CallError if it is none that we can read, in every part we look at."""
    try:
        certificate = x509.load_der_x509_certificate(stream.certificate)
        # Parts are parsed when they are asked for, and whoever asks later does not expect a stranger's bytes.
        _ = certificate.public_key(), certificate.issuer, _names(certificate)
    except UNREADABLE as error:
        raise CallError(Failure.NOT_HEPTO, shorten(str(error))) from None
    return certificate


def server_key(stream: TlsStream) -> bytes:
    """SHA-256 of the server's SubjectPublicKeyInfo."""
    return key_hash(certificate_of(stream))


def uris(certificate: x509.Certificate) -> tuple[str, ...]:
    """The URIs among its names."""
    names = _names(certificate)
    return () if names is None else tuple(names.get_values_for_type(x509.UniformResourceIdentifier))


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    """Raises UNREADABLE."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


class Caller:
    """One connection; requests one after the other."""

    def __init__(self, stream: TlsStream, host: str = "hepto"):
        self._stream = stream
        self._host = host
        self._machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and the whole answer. Raises CallError, OSError."""
        status, pieces = await self.open(path, body)
        whole = bytearray()
        async for piece in pieces:
            whole += piece
            if len(whole) > MAX_BODY:
                raise CallError(Failure.BAD_ANSWER, f"more than {MAX_BODY} bytes")
        return status, bytes(whole)

    async def open(self, path: str, body: bytes) -> tuple[int, AsyncIterator[bytes]]:
        """Status and the answer piece by piece, to be read to its end. Raises CallError, OSError."""
        if self._machine.our_state is not h11.IDLE:  # the answer before this was the last, or was not read to its end
            raise CallError(Failure.CLOSED, "after an answer")
        headers = [("Host", self._host), ("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
        data = self._machine.send(h11.Request(method="POST", target=path, headers=headers)) or b""
        data += self._machine.send(h11.Data(data=body)) or b""
        data += self._machine.send(h11.EndOfMessage()) or b""
        await self._stream.write(data)
        while True:
            match await self._event():
                case h11.Response(status_code=status):
                    return status, self._pieces()
                case h11.InformationalResponse():
                    pass
                case _:
                    raise CallError(Failure.CLOSED)

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            match await self._event():
                case h11.Data(data=piece):
                    yield bytes(piece)
                case h11.EndOfMessage():
                    break
                case _:
                    raise CallError(Failure.CLOSED, "in the middle of an answer")
        if self._machine.our_state is h11.DONE and self._machine.their_state is h11.DONE:
            self._machine.start_next_cycle()

    async def _event(self) -> object:
        try:
            while (event := self._machine.next_event()) is h11.NEED_DATA:
                data = await self._stream.read()
                if not data and self._machine.their_state is h11.SEND_RESPONSE:
                    raise CallError(Failure.CLOSED)
                if not data and self._machine.their_state is h11.SEND_BODY:
                    raise CallError(Failure.CLOSED, "in the middle of an answer")
                self._machine.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise CallError(Failure.NOT_HEPTO, shorten(str(error))) from None
        return event
