import asyncio
from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network

import pytest

from hepto.api.routes import MEDIA_TYPE, TIME, Door, Inside, Reply, router
from hepto.edge.http_server import Request, Response
from hepto.errors import PeerError
from tests.api.example import LOOPBACK

TYPE = {"content-type": MEDIA_TYPE}


async def good(body: bytes, server_key: bytes) -> Reply:
    return Reply(200, body + server_key)


async def unproven(body: bytes, server_key: bytes) -> Reply:
    return Reply(401, reason="bad-mac")


async def taken(body: bytes, server_key: bytes) -> Reply:
    return Reply(409, b"why", "name-taken")


async def nameless(body: bytes, server_key: bytes) -> Reply:
    return Reply(503)


async def whole(body: bytes, server_key: bytes) -> Response:
    return Response(200, b"whole", "text/plain")


DOORS: Mapping[str, Door] = {
    "/good": good,
    "/unproven": unproven,
    "/taken": taken,
    "/nameless": nameless,
    "/whole": whole,
}


def ask(
    path: str, method: str = "POST", headers: Mapping[str, str] = TYPE, refused: list[str] | None = None
) -> Response:
    counted: list[str] = [] if refused is None else refused
    request = Request(method, path, headers, b"body ", LOOPBACK, b"key")

    async def run() -> Response:
        return await router(DOORS, counted.append)(request)

    return asyncio.run(run())


def test_a_door_hears_body_and_key_and_is_answered() -> None:
    assert ask("/good") == Response(200, b"body key", MEDIA_TYPE)
    assert ask("/whole") == Response(200, b"whole", "text/plain")


@pytest.mark.parametrize(
    ("path", "method", "headers", "reason"),
    [
        ("/", "POST", TYPE, "no-such-path"),
        ("/good/", "POST", TYPE, "no-such-path"),
        ("/good?x", "POST", TYPE, "no-such-path"),
        ("/good", "GET", TYPE, "wrong-method"),
        ("/good", "post", TYPE, "wrong-method"),
        ("/good", "POST", {}, "wrong-media-type"),
        ("/good", "POST", {"content-type": "text/html"}, "wrong-media-type"),
        ("/unproven", "POST", TYPE, "bad-mac"),
    ],
)
def test_everything_else_has_no_answer_but_a_reason(
    path: str, method: str, headers: Mapping[str, str], reason: str
) -> None:
    with pytest.raises(PeerError) as caught:
        ask(path, method, headers)

    assert caught.value.reason == reason


@pytest.mark.parametrize(("path", "status", "reason"), [("/taken", 409, "name-taken"), ("/nameless", 503, "503")])
def test_a_refusal_is_answered_and_counted(path: str, status: int, reason: str) -> None:
    refused: list[str] = []

    assert ask(path, refused=refused).status == status
    assert refused == [reason]


MESH = IPv6Network("fd6d:9999:dd30:100::/56")
PEER, STRANGER, POD = MESH[5], IPv6Address("2001:db8::5"), IPv6Address("fd6d:9999:dd30:300::5")


async def inside(body: bytes, peer: IPv6Address) -> Reply:
    return Reply(200, body + peer.packed)


def from_there(peer: IPv6Address, mesh: IPv6Network | None) -> Response:
    request = Request("POST", TIME, TYPE, b"", peer, b"key")

    async def run() -> Response:
        return await router({TIME: Inside(inside)}, lambda _: None, mesh)(request)

    return asyncio.run(run())


def test_some_doors_open_to_nodes_on_the_mesh_only() -> None:
    assert from_there(PEER, MESH).body == PEER.packed
    for peer, mesh in ((STRANGER, MESH), (POD, MESH), (LOOPBACK, MESH), (PEER, None)):
        with pytest.raises(PeerError) as caught:
            from_there(peer, mesh)
        assert caught.value.reason == "not-on-the-mesh"
