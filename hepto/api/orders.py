"""Orders of operators, on the operator's side: learn a cluster's CA, and have a node do something.

Promises: nothing is sent but a proof of the gossip key before the CA is known and the node verified by it; an order is
signed for one node and its nonce.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509

from hepto.api import client, exchange, messages, routes
from hepto.api.client import MASTER_URI, NODE_URI, Attempt, Candidate, Membership, NobodyError, node_of, open_stream
from hepto.api.exchange import Caller, CallError, Failure
from hepto.api.messages import HELLO_NAME, Hello, Refusal, Signed, Welcome
from hepto.api.operators import UNKNOWN, Verb, welcome_proof
from hepto.api.proof import NONCE_BYTES
from hepto.api.relay import MASTER
from hepto.edge.streams import TlsStream
from hepto.errors import ExitCode, PeerError, UserError

ANCHOR: Final = None
"""As a target: whoever the candidate is."""
_REFUSED: Final = frozenset((Failure.WRONG_KEY, Failure.CERTIFICATE, Failure.ANOTHER_CLUSTER, Failure.REJECTED))

T = TypeVar("T")

Sign = Callable[[str, Verb, tuple[str, ...], bytes], Awaitable[tuple[bytes, bytes]]]
"""Called with node, verb, arguments and nonce; gives the order and its signature."""


@dataclass(frozen=True)
class Operator:
    """Who orders, and whom."""

    candidates: Sequence[Candidate]
    membership: Membership
    sign: Sign


async def learn(candidates: Sequence[Candidate], membership: Membership) -> x509.Certificate:
    """The CA that a member shows who has the gossip key. Nobody vouches for it: compare its fingerprint.

    Raises UserError.
    """

    async def one(candidate: Candidate) -> x509.Certificate:
        async with open_stream(candidate, ANCHOR, membership) as stream:
            welcome = await _greet(Caller(stream), stream, membership)
            try:
                return x509.load_der_x509_certificate(welcome.authority)
            except ValueError as error:
                raise CallError(Failure.BAD_ANSWER, f"its CA is no certificate: {error}") from None

    return await _each(candidates, one, client.SECONDS)


async def order(operator: Operator, target: str | None, verb: Verb, arguments: tuple[str, ...] = ()) -> object:
    """What `target` (ANCHOR, relay.MASTER or a node's name) answers. Raises UserError."""

    async def one(candidate: Candidate) -> object:
        async with _ordered(operator, candidate, target, verb, arguments) as pieces:
            body = bytearray()
            async for piece in pieces:
                body += piece
                if len(body) > messages.MOST_RESULT:
                    raise CallError(Failure.BAD_ANSWER, "too long")
            try:
                return messages.read_result(bytes(body))
            except PeerError as error:
                raise CallError(Failure.BAD_ANSWER, str(error)) from None

    return await _each(operator.candidates, one)


async def stream(
    operator: Operator, target: str | None, verb: Verb, arguments: tuple[str, ...]
) -> AsyncIterator[bytes]:
    """The same for an answer of bytes that may go on for ever. Raises UserError."""

    async def one(candidate: Candidate) -> tuple[AsyncExitStack, AsyncIterator[bytes]]:
        stack = AsyncExitStack()
        return stack, await stack.enter_async_context(_ordered(operator, candidate, target, verb, arguments))

    stack, pieces = await _each(operator.candidates, one)
    async with stack:
        while True:
            try:
                piece = await anext(pieces, None)
            except (CallError, OSError) as error:
                raise UserError(f"the connection broke: {error}", "say it again", ExitCode.UNREACHABLE) from None
            if piece is None:
                return
            yield piece


@asynccontextmanager
async def _ordered(
    operator: Operator, candidate: Candidate, target: str | None, verb: Verb, arguments: tuple[str, ...]
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Ends with the answer's head; the answer itself comes from the iterator.

    The order goes on a connection of its own: whoever types a passphrase meanwhile may take longer than one is kept.
    """
    membership = operator.membership
    async with asyncio.timeout(client.SECONDS), open_stream(candidate, target, membership) as tls:
        welcome = await _greet(Caller(tls), tls, membership)
        _check(tls, target, welcome.node)
    signed, signature = await operator.sign(welcome.node, verb, arguments, welcome.nonce)
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(client.SECONDS):
            way = ANCHOR if target is ANCHOR else welcome.node
            tls = await stack.enter_async_context(open_stream(candidate, way, membership))
            _check(tls, target, welcome.node)
            request = messages.encode(Signed(welcome.nonce, signed, signature))
            status, pieces = await Caller(tls).open(routes.OPERATOR, request)
            if status >= 300:
                raise await _refused(status, pieces)
        yield pieces


def _check(tls: TlsStream, target: str | None, node: str) -> None:
    """It is who it says it is, and whom we wanted. Raises CallError."""
    name = node_of(tls, MASTER_URI, NODE_URI)
    if node != name:
        raise CallError(Failure.CERTIFICATE, f"it says that it is {node}, and its certificate {name}")
    if target == MASTER and MASTER_URI + name not in exchange.uris(exchange.certificate_of(tls)):
        raise CallError(Failure.CERTIFICATE, f"{name} is no master")
    if target not in (ANCHOR, MASTER, name):
        raise CallError(Failure.CERTIFICATE, f"it is {name}, not {target}")


async def _refused(status: int, pieces: AsyncIterator[bytes]) -> UserError:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > messages.MOST_REQUEST:
            break
    code = ExitCode.REFUSED if status in (routes.UNPROVEN, 403) else ExitCode.FAILED
    try:
        refusal = messages.read(Refusal, bytes(body))
    except PeerError:
        return UserError(f"the node refuses, with status {status}", "is it of the same version of hepto?", code)
    return UserError(refusal.what, refusal.hint, ExitCode.USAGE if status == UNKNOWN else code)


async def _greet(caller: Caller, tls: TlsStream, membership: Membership) -> Welcome:
    nonce = os.urandom(NONCE_BYTES)
    hello = Hello(nonce, membership.mac(HELLO_NAME, nonce, exchange.server_key(tls)))
    try:
        status, body = await caller.post(routes.OPERATOR, messages.encode(hello))
    except CallError as error:
        if error.failure is not Failure.CLOSED:
            raise
        raise client.why_closed(tls, membership.cluster) from None
    try:
        welcome = messages.read(Welcome, body)
    except PeerError as error:
        raise CallError(Failure.NOT_HEPTO, f"status {status}: {error}") from None
    wanted = welcome_proof(membership.mac, hello, welcome, exchange.server_key(tls))
    if not hmac.compare_digest(wanted, welcome.proof):
        raise CallError(Failure.WRONG_KEY, "its answer is of nobody with this key")
    return welcome


async def _each(
    candidates: Sequence[Candidate], ask: Callable[[Candidate], Awaitable[T]], seconds: float | None = None
) -> T:
    """The first answer. Raises UserError with the reason for each that gave none."""
    try:
        return await client.each(candidates, ask, seconds)
    except NobodyError as error:
        raise _explain(error.attempts) from None


def _explain(attempts: Sequence[Attempt]) -> UserError:
    code = ExitCode.REFUSED if any(one.failure in _REFUSED for one in attempts) else ExitCode.UNREACHABLE
    what = "; ".join(map(str, attempts)) or "no address of a member is known"
    hints = {
        Failure.WRONG_KEY: "give the cluster's gossip key with --key @FILE",
        Failure.ANOTHER_CLUSTER: "name the cluster with --cluster, or ask one of its members with --anchor",
        Failure.CERTIFICATE: "somebody poses as the cluster, or its CA was replaced: compare `hepto status` on a node",
    }
    hint = next((hints[one.failure] for one in attempts if one.failure in hints), "")
    return UserError(what, hint or "ask another member with --anchor HOST; the port is --api-port, 7947", code)
