"""The blind relay: a member passes a connection on, byte by byte, to the API of a member that the caller cannot reach.

Before TLS the caller sends one line in clear, told from TLS by its first byte:

    hepto-relay 1 TARGET NONCE PROOF\\n         TARGET: * for any master, or a node's name; NONCE, PROOF: hex
    hepto-relay 1 here|ok|unknown|busy|unreachable\\n

PROOF is the MAC of "hepto relay 1" over TARGET and NONCE; without a good one the connection is closed without an
answer. After `here` and `ok` the caller begins TLS, with this member or with TARGET: the transcript of a join and the
cluster's CA bind the far end, so the relay can do no more than not pass bytes on. A line is good once at each member.

Promises: where to is decided by a callable (addresses of verified grants only); number, bytes, time are bounded.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Final

from hepto.api.proof import Mac, holds
from hepto.edge.http_server import SECONDS, Ticket, peer_faults
from hepto.edge.streams import PlainStream, connect
from hepto.errors import PeerError
from hepto.values import LABEL

NAME: Final = "hepto relay 1"
MASTER: Final = "*"
MOST_LINE: Final = 256
MOST_RELAYED: Final = 16
"""Connections at once."""
MOST_SEEN: Final = 4096
"""Nonces that are kept in mind; the oldest goes."""
MOST_BYTES: Final = 64 << 20
"""Each way: logs of a node for an operator."""
RELAY_SECONDS: Final = 3600.0
IDLE_SECONDS: Final = 300.0
_NONCE_BYTES: Final = 16
_LINE: Final = re.compile(rb"hepto-relay 1 (\*|[a-z0-9-]{1,63}) ([0-9a-f]{32}) ([0-9a-f]{64})")
_ANSWER: Final = re.compile(rb"hepto-relay 1 ([a-z]{1,16})")


class Wrong(StrEnum):
    """Why a line was not answered."""

    LINE = "relay-bad-line"
    PROOF = "relay-bad-proof"
    REPEATED = "relay-repeated"
    TOO_MANY_BYTES = "relay-too-many-bytes"


class Answer(StrEnum):
    """What the member says before TLS."""

    HERE = "here"
    OK = "ok"
    UNKNOWN = "unknown"
    BUSY = "busy"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Here:
    """The target is this member itself."""


@dataclass(frozen=True)
class There:
    """The API of another member."""

    address: IPv6Address
    port: int


Find = Callable[[str], Here | tuple[There, ...]]
"""Where a target's API is (MASTER: any master's), best first; empty if it is not known."""


@dataclass(frozen=True)
class Preamble:
    """A line, read but not believed."""

    target: str
    nonce: bytes
    proof: bytes

    def encode(self) -> bytes:
        """The line with its end."""
        return f"hepto-relay 1 {self.target} {self.nonce.hex()} {self.proof.hex()}\n".encode()


def preamble(target: str, mac: Mac, nonce: bytes) -> Preamble:
    """What a caller sends; `nonce` is 16 random bytes."""
    assert len(nonce) == _NONCE_BYTES
    return Preamble(target, nonce, mac(NAME, target.encode(), nonce))


def parse(line: bytes) -> Preamble:
    """The reverse of `encode`, without the line's end. Raises PeerError."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise PeerError(Wrong.LINE)
    target = found[1].decode()
    if target != MASTER and not LABEL.fullmatch(target):
        raise PeerError(Wrong.LINE)
    return Preamble(target, bytes.fromhex(found[2].decode()), bytes.fromhex(found[3].decode()))


def parse_answer(line: bytes) -> Answer:
    """Raises PeerError."""
    found = _ANSWER.fullmatch(line)
    try:
        return Answer(found[1].decode() if found else "")
    except ValueError:
        raise PeerError(Wrong.LINE) from None


async def read_line(stream: PlainStream) -> bytes:
    """A line without its end; what came after it is left in the stream. Raises PeerError, OSError."""
    data = b""
    while b"\n" not in data:
        if len(data) >= MOST_LINE:
            raise PeerError(Wrong.LINE, "too long")
        piece = await stream.read(MOST_LINE - len(data))
        if not piece:
            raise PeerError(Wrong.LINE, "cut short")
        data += piece
    line, _, rest = data.partition(b"\n")
    stream.unread(rest)
    return line


async def ask(stream: PlainStream, target: str, mac: Mac, nonce: bytes) -> Answer:
    """The caller's side. Raises PeerError when the answer is none, OSError."""
    await stream.write(preamble(target, mac, nonce).encode())
    return parse_answer(await read_line(stream))


class Relay:
    """The member's side, for HttpServer's `plain`."""

    def __init__(self, mac: Mac, find: Find, seconds: float = SECONDS):
        self._mac = mac
        self._find = find
        self._seconds = seconds
        self._relayed = 0
        self._seen: dict[bytes, None] = {}

    async def __call__(self, stream: PlainStream, ticket: Ticket) -> bool:
        """True: the caller begins TLS with us now. Raises PeerError: close without a word."""
        deadline = self._deadline(self._seconds)
        async with peer_faults(deadline):
            line = parse(await read_line(stream))
        if not holds(self._mac, line.proof, NAME, line.target.encode(), line.nonce):
            raise PeerError(Wrong.PROOF)
        self._once(line.nonce)
        ticket.authenticated()
        place = self._find(line.target)
        if isinstance(place, Here):
            await self._say(stream, Answer.HERE)
            return True
        if not place:
            await self._say(stream, Answer.UNKNOWN)
        elif self._relayed >= MOST_RELAYED:
            await self._say(stream, Answer.BUSY)
        else:
            self._relayed += 1
            try:
                await self._pass_on(stream, ticket, place)
            finally:
                self._relayed -= 1
        return False

    def _once(self, nonce: bytes) -> None:
        """Whoever listens on the way can repeat a line, and would hold what is kept for others."""
        if nonce in self._seen:
            raise PeerError(Wrong.REPEATED)
        while len(self._seen) >= MOST_SEEN:
            self._seen.pop(next(iter(self._seen)))
        self._seen[nonce] = None

    async def _pass_on(self, near: PlainStream, ticket: Ticket, places: tuple[There, ...]) -> None:
        for place in places:
            try:
                async with asyncio.timeout(self._seconds / len(places)):
                    far = await connect(place.address, place.port)
            except OSError:
                continue
            with contextlib.closing(far):
                await self._say(near, Answer.OK)
                async with peer_faults(self._deadline(RELAY_SECONDS)):
                    await _splice(near, far, ticket)
            return
        await self._say(near, Answer.UNREACHABLE)

    async def _say(self, stream: PlainStream, answer: Answer) -> None:
        async with peer_faults(self._deadline(self._seconds)):
            await stream.write(f"hepto-relay 1 {answer}\n".encode())

    def _deadline(self, seconds: float) -> float:
        return asyncio.get_running_loop().time() + seconds


async def _splice(near: PlainStream, far: PlainStream, ticket: Ticket) -> None:
    """Both ways until both ends have said all, one is gone, or nothing has come for long. Raises OSError, PeerError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(IDLE_SECONDS) as idle:

        def passed() -> None:
            ticket.authenticated()
            idle.reschedule(loop.time() + IDLE_SECONDS)

        ways = [asyncio.ensure_future(_copy(*way, passed)) for way in ((near, far), (far, near))]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: PlainStream, sink: PlainStream, passed: Callable[[], None]) -> None:
    total = 0
    while piece := await source.read():
        total += len(piece)
        if total > MOST_BYTES:
            raise PeerError(Wrong.TOO_MANY_BYTES)
        await sink.write(piece)
        passed()
    sink.end()
