"""Joining, renewing and asking, from outside the server: over candidates, with a named reason for each that failed.

A joiner accepts any certificate, for the transcript of the join binds the server's key (trust.md section 3); whoever
knows the cluster's CA verifies it, and the node's name and role by its URI. Any member is good as a candidate: it
either is a master or passes the connection on to one (hepto/api/relay.py).
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hepto.api import exchange, relay, routes
from hepto.api.exchange import Caller, CallError, Failure
from hepto.api.proof import Mac
from hepto.edge.streams import PlainStream, TlsStream, connect
from hepto.errors import PeerError
from hepto.given import printable, shorten

CONNECT_SECONDS: Final = 5.0
SECONDS: Final = 30.0
"""For a whole join or renewal with one candidate: a master signs while it also runs a control plane."""

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
MASTER_URI: Final = "hepto:master:"
NODE_URI: Final = "hepto:node:"
Keys = Mapping[str, ec.EllipticCurvePrivateKey]


class Asker(Protocol[T_co]):
    """A joiner or a renewer of hepto/pki: makes requests and judges answers. Each raises PeerError."""

    def hello(self) -> bytes:
        """The body of the first request."""

    def hello_answered(self, body: bytes) -> None:
        """What came back."""

    def request(self, server_key: bytes, keys: Keys) -> bytes:
        """The body of the second."""

    def answered(self, body: bytes) -> T_co:
        """What came back."""


@dataclass(frozen=True)
class Candidate:
    """The API of a member, as far as anybody knows."""

    address: IPv6Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}"


@dataclass(frozen=True)
class Attempt:
    """Why one candidate was of no help."""

    candidate: Candidate
    failure: Failure
    detail: str = ""
    cause: PeerError | None = None
    """What the joiner or renewer said of the answer."""

    def __str__(self) -> str:
        return f"{self.candidate} {self.failure.value}" + (f" ({self.detail})" if self.detail else "")


class NobodyError(Exception):
    """No candidate helped."""

    def __init__(self, attempts: Sequence[Attempt]):
        super().__init__("; ".join(map(str, attempts)) or "there is nobody to ask")
        self.attempts = tuple(attempts)


@dataclass(frozen=True)
class Membership:
    """What whoever asks knows of the cluster."""

    cluster: str
    mac: Mac
    authority: x509.Certificate | None = None
    """The CA, once it is known."""
    clock: bool = True
    """Our clock is good enough to judge certificates by."""


async def join(
    candidates: Sequence[Candidate], joiner: Callable[[], Asker[T]], keys: Keys, membership: Membership
) -> T:
    """Ask each in turn until one answers. `joiner` makes a new one for each: a nonce is used once.

    Raises NobodyError with the reason for each.
    """
    return await each(candidates, lambda candidate: _join(candidate, joiner(), keys, membership), SECONDS)


async def renew(
    candidates: Sequence[Candidate],
    renewer: Callable[[], Asker[T]],
    keys: Keys,
    membership: Membership,
    is_master: Callable[[str], bool],
) -> T:
    """The same with the CA known: the server must be `hepto:master:NAME`, and `is_master(NAME)` by its grant.

    Candidates may be masters or any members. A master is asked without the relay's line, so that a node with a key
    that was retired while it was off finds back. Raises NobodyError.
    """
    return await each(candidates, lambda candidate: _renew(candidate, renewer(), keys, membership, is_master), SECONDS)


async def _renew(
    candidate: Candidate, renewer: Asker[T], keys: Keys, membership: Membership, is_master: Callable[[str], bool]
) -> T:
    assert membership.authority is not None, "who renews knows the CA"
    async with open_stream(candidate, None, membership) as stream:
        name = node_of(stream, MASTER_URI, NODE_URI)
        if MASTER_URI + name in exchange.uris(exchange.certificate_of(stream)):
            return await _renew_with(stream, renewer, keys, is_master)
    async with open_stream(candidate, relay.MASTER, membership) as stream:
        return await _renew_with(stream, renewer, keys, is_master)


async def _renew_with(stream: TlsStream, renewer: Asker[T], keys: Keys, is_master: Callable[[str], bool]) -> T:
    name = node_of(stream, MASTER_URI)
    if not is_master(name):
        raise CallError(Failure.CERTIFICATE, f"{name} has no valid grant of a master")
    return await _exchange(stream, renewer, keys, routes.RENEW)


async def each(candidates: Sequence[Candidate], ask: Callable[[Candidate], Awaitable[T]], seconds: float | None) -> T:
    """The first answer, within so many seconds for each. Raises NobodyError with the reason for each that gave none."""
    attempts = []
    for candidate in candidates:
        try:
            async with asyncio.timeout(seconds):
                return await ask(candidate)
        except CallError as error:
            attempts.append(Attempt(candidate, error.failure, error.detail, error.cause))
        except TimeoutError:
            attempts.append(Attempt(candidate, Failure.SILENT))
        except OSError as error:
            attempts.append(Attempt(candidate, Failure.CLOSED, error.strerror or ""))
    raise NobodyError(attempts)


async def _join(candidate: Candidate, joiner: Asker[T], keys: Keys, membership: Membership) -> T:
    async with open_stream(candidate, relay.MASTER, membership) as stream:
        return await _exchange(stream, joiner, keys, routes.JOIN)


async def _exchange(stream: TlsStream, asker: Asker[T], keys: Keys, path: str) -> T:
    caller = Caller(stream)
    status = 0
    try:
        status, body = await caller.post(routes.HELLO, asker.hello())
        if status < 300:
            asker.hello_answered(body)
            status, body = await caller.post(path, asker.request(exchange.server_key(stream), keys))
            if body:  # a refusal is authenticated, too
                return asker.answered(body)
    except PeerError as error:
        failure = Failure.REJECTED if status >= 400 else Failure.BAD_ANSWER
        raise CallError(failure, printable(str(error)), error) from None
    raise CallError(Failure.REJECTED, f"status {status}")


@asynccontextmanager
async def open_stream(candidate: Candidate, target: str | None, membership: Membership) -> AsyncIterator[TlsStream]:
    """TLS with `target` (relay.MASTER, or a node's name) by way of `candidate`; None: with the candidate itself.

    With the CA known the server is verified by it. Raises CallError, OSError.
    """
    plain = await _connect(candidate)
    try:
        if target is not None:
            await _ask_relay(plain, candidate, target, membership)
        authority = membership.authority
        context = exchange.anyone() if authority is None else exchange.cluster(authority, clock=membership.clock)
        stream = TlsStream(plain, context)
        await _handshake(stream)
        try:
            yield stream
        finally:
            stream.close()
    finally:
        plain.close()


async def _connect(candidate: Candidate) -> PlainStream:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await connect(candidate.address, candidate.port)
    except TimeoutError:
        raise CallError(Failure.SILENT) from None
    except ConnectionRefusedError:
        raise CallError(Failure.REFUSED) from None
    except OSError as error:
        raise CallError(Failure.UNREACHABLE, error.strerror or str(error)) from None


async def _ask_relay(plain: PlainStream, candidate: Candidate, target: str, membership: Membership) -> None:
    try:
        answer = await relay.ask(plain, target, membership.mac, os.urandom(16))
    except (PeerError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise await _diagnose(candidate, membership.cluster) from None
    match answer:
        case relay.Answer.HERE | relay.Answer.OK:
            return
        case relay.Answer.UNKNOWN:
            raise CallError(Failure.NO_MASTER)
        case relay.Answer.BUSY:
            raise CallError(Failure.BUSY)
        case relay.Answer.UNREACHABLE:
            raise CallError(Failure.UNREACHABLE, "it was asked to pass us on, and cannot reach the node")


async def _handshake(stream: TlsStream) -> None:
    try:
        await stream.handshake()
    except ssl.SSLCertVerificationError as error:
        raise CallError(Failure.CERTIFICATE, error.verify_message) from None
    except ssl.SSLError as error:
        raise CallError(Failure.NOT_HEPTO, error.reason or "no TLS") from None


async def _diagnose(candidate: Candidate, cluster: str) -> CallError:
    """It closed without a word; what certificate does it show?"""
    plain = await _connect(candidate)
    stream = TlsStream(plain, exchange.anyone())
    try:
        await stream.handshake()
        return why_closed(stream, cluster)
    except TimeoutError:
        raise
    except OSError:
        return CallError(Failure.NOT_HEPTO)
    finally:
        plain.close()


def why_closed(stream: TlsStream, cluster: str) -> CallError:
    """Why a server with this certificate does not speak with us: a hint, for whoever trusts nothing of it."""
    try:
        certificate = exchange.certificate_of(stream)
    except CallError as error:
        return error
    if not any(uri.startswith("hepto:") for uri in exchange.uris(certificate)):
        return CallError(Failure.NOT_HEPTO, "its certificate is not one of hepto's")
    issuer = certificate.issuer.rfc4514_string().removeprefix("CN=")
    if issuer != f"hepto ca {cluster}"[:64]:
        return CallError(Failure.ANOTHER_CLUSTER, shorten(issuer.removeprefix("hepto ca ")))
    return CallError(Failure.WRONG_KEY)


def node_of(stream: TlsStream, *prefixes: str) -> str:
    """The node's name in the certificate's URI, of one of these forms. The CA was verified. Raises CallError."""
    for uri in exchange.uris(exchange.certificate_of(stream)):
        for prefix in prefixes:
            if uri.startswith(prefix):
                return uri.removeprefix(prefix)
    raise CallError(Failure.CERTIFICATE, f"its certificate has no name {' or '.join(prefixes)}…")


def is_master(stream: TlsStream) -> bool:
    """The other side's certificate has the form that only masters get (trust.md section 4). The CA was verified."""
    return any(uri.startswith(MASTER_URI) for uri in exchange.uris(exchange.certificate_of(stream)))
