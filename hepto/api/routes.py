"""The paths of the node API, and who answers there: a path is a door, and a door is a callable of bytes.

Promises: a door hears only what is a POST of its media type; everything else is closed without an answer and counted
by reason, and so is what a door refuses with a PeerError or with 401.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from hepto.edge.http_server import Handler, Request, Response
from hepto.errors import PeerError

HELLO: Final = "/v1/hello"
JOIN: Final = "/v1/join"
RENEW: Final = "/v1/renew"
OPERATOR: Final = "/v1/operator"
TIME: Final = "/v1/time"
BACKUPS: Final = "/v1/backups"
BACKUP: Final = "/v1/backup"
MEDIA_TYPE: Final = "application/msgpack"
UNPROVEN: Final = 401
"""The status with which a door says: no answer at all."""


class Wrong(StrEnum):
    """Why no door was opened."""

    PATH = "no-such-path"
    METHOD = "wrong-method"
    MEDIA_TYPE = "wrong-media-type"
    PROOF = "bad-proof"
    OUTSIDE = "not-on-the-mesh"


@dataclass(frozen=True)
class Reply:
    """What a door answers; sent when it returns, so what must be durable first is durable by then."""

    status: int
    body: bytes = field(default=b"", repr=False)
    reason: str = ""
    """Of a refusal, to be counted."""


Door = Callable[[bytes, bytes], Awaitable[Reply | Response]]
"""Called with the body and the SHA-256 of the key that the TLS server has shown (SubjectPublicKeyInfo)."""


@dataclass(frozen=True)
class Inside:
    """A door that opens to nodes on the mesh only."""

    answer: Callable[[bytes, IPv6Address], Awaitable[Reply | Response]]
    """Called with the body and the address of whoever asks, which is that of one node."""


def router(
    doors: Mapping[str, Door | Inside], refused: Callable[[str], None], mesh: IPv6Network | None = None
) -> Handler:
    """The handler for these paths. `refused` hears the reason of every refusal that is answered.

    `mesh` holds the nodes' addresses on the mesh, which nobody else can come from: WireGuard ties each to a key, and
    the firewall drops what has one and comes another way.
    """

    async def handle(request: Request) -> Response:
        door = doors.get(request.path)
        if door is None:
            raise PeerError(Wrong.PATH)
        if isinstance(door, Inside) and (mesh is None or request.peer not in mesh):
            raise PeerError(Wrong.OUTSIDE)
        if request.method != "POST":
            raise PeerError(Wrong.METHOD)
        if request.headers.get("content-type") != MEDIA_TYPE:
            raise PeerError(Wrong.MEDIA_TYPE)
        if isinstance(door, Inside):
            reply = await door.answer(request.body, request.peer)
        else:
            reply = await door(request.body, request.server_key)
        if isinstance(reply, Response):
            return reply
        if reply.status == UNPROVEN:
            raise PeerError(reply.reason or Wrong.PROOF)
        if reply.status >= 400:
            refused(reply.reason or str(reply.status))
        return Response(reply.status, reply.body, MEDIA_TYPE)

    return handle
