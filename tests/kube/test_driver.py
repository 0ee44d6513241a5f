"""Writing plans, asking services and applying objects, against real files and a scripted apiserver."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto.errors import UserError
from hepto.kube import driver, etcd_log
from hepto.kube.files import Directory, File, KubePlan
from hepto.kube.health import Expect, Health, Probe
from hepto.kube.objects import Object
from hepto.kube.pulls import Addresses
from hepto.pki import store
from init.contract.status import Reason
from tests.pki.example import authority, pair

NOW = datetime.now(UTC)
ISSUER = authority(now=NOW)


class Apiserver:
    """Answers each request with what the script says next, the last entry for ever; keeps what it was sent."""

    def __init__(self, *script: tuple[int, bytes]):
        self.script = list(script)
        self.requests: list[tuple[str, str, str]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                peer = writer.get_extra_info("peercert")
                name = dict(field[0] for field in peer["subject"])["organizationName"] if peer else ""
                self.requests.append((head.split(" HTTP")[0], body.decode(), name))
                status, answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if not status:
                    return
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def serving(self, files: Path | None = None) -> AsyncIterator[str]:
        tls = None
        if files is not None:
            (files / "ca.crt").write_bytes(store.certificate_pem(ISSUER.certificate))
            (files / "server.pem").write_bytes(pair("scheduler", ISSUER, now=NOW).pem())
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(files / "server.pem")
            tls.load_verify_locations(files / "ca.crt")
            tls.verify_mode = ssl.CERT_REQUIRED
        server = await asyncio.start_server(self.handle, "::1", 0, ssl=tls)
        self.url = f"{'https' if tls else 'http'}://[::1]:{server.sockets[0].getsockname()[1]}"
        try:
            yield self.url
        finally:
            server.close()


async def check(probes: tuple[Probe, ...]) -> Health:
    asker = driver.Asker()
    try:
        return await asker.check(probes)
    finally:
        await asker.close()


def test_a_plan_is_written_once_and_changes_are_named(tmp_path: Path) -> None:
    path, gone = tmp_path / "a" / "file", tmp_path / "a" / "gone"
    plan = KubePlan((Directory(str(tmp_path / "a")),), (File(str(path), b"1", 0o600),), (str(gone),))

    assert driver.write(plan) == (str(path),)
    assert (path.read_bytes(), path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (b"1", 0o600, 0o700)
    assert driver.write(plan) == ()
    gone.touch()
    assert driver.write(plan) == (str(gone),)
    assert not gone.exists()


def test_the_first_unmet_probe_is_the_answer() -> None:
    async def ask() -> Health:
        apiserver = Apiserver((200, b"ok"), (500, b"[-]etcd failed"), (200, b"ok"))
        async with apiserver.serving() as url:
            health = await check(tuple(Probe("x", f"{url}/{name}") for name in "abc"))
            assert [line for line, _, _ in apiserver.requests] == ["GET /a", "GET /b"]
            return health

    assert asyncio.run(ask()) == Health(False, what="answers 500: etcd")


@pytest.mark.parametrize(
    ("expect", "reason"), [(Expect.OK, Reason.SERVICE), (Expect.NODE, Reason.MASTER)], ids=["service", "node object"]
)
def test_no_answer_is_not_ready(expect: Expect, reason: Reason) -> None:
    async def ask() -> Health:
        async with Apiserver((200, b"")).serving() as url:
            pass
        return await check((Probe("x", f"{url}/", expect=expect),))

    assert asyncio.run(ask()) == Health(False, reason, "connection refused")


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    probe = Probe("x", "https://[::1]:1/", str(tmp_path / "ca.crt"), str(tmp_path / "admin.pem"))

    assert asyncio.run(check((probe,))) == Health(
        False, Reason.CERTIFICATE, f"{tmp_path}/admin.pem: No such file or directory"
    )


OBJECTS = tuple(Object(f"/api/v1/{name}", {"name": name}) for name in "abc")


def apply(
    apiserver: Apiserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: tuple[UserError, ...] = ()
) -> list[str]:
    """What is told; `errors` stand in the way of the first certificates."""
    monkeypatch.setattr(driver, "APPLY_RETRY", 0.0)
    notes: list[str] = []
    to_raise = list(errors)

    def mint() -> bytes:
        if to_raise:
            raise to_raise.pop(0)
        return pair("bootstrap", ISSUER, now=NOW).pem()

    async def run() -> None:
        async with apiserver.serving(tmp_path) as url, asyncio.timeout(10):
            await driver.bootstrap(url, str(tmp_path / "ca.crt"), mint, OBJECTS, notes.append)

    asyncio.run(run())
    return notes


def test_objects_are_applied_by_system_masters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apiserver = Apiserver((201, b"{}"))

    notes = apply(apiserver, tmp_path, monkeypatch)

    assert notes == []
    assert apiserver.requests == [
        (f"PATCH {item.path}?fieldManager=hepto&force=true", json.dumps(item.body), "system:masters")
        for item in OBJECTS
    ]


def test_a_certificate_that_cannot_be_minted_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apiserver = Apiserver((201, b"{}"))
    error = UserError("the clock shows 2036", "set it")

    notes = apply(apiserver, tmp_path, monkeypatch, (error, error))

    assert notes == ["the clock shows 2036; set it"]
    assert len(apiserver.requests) == len(OBJECTS)


def test_a_refused_object_is_tried_again_and_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = (404, json.dumps({"message": "namespace not found"}).encode())
    apiserver = Apiserver((200, b""), refused, (200, b""), refused, (200, b""))

    notes = apply(apiserver, tmp_path, monkeypatch)

    assert notes == ["/api/v1/b: 404 namespace not found"]
    assert [line[14] for line, _, _ in apiserver.requests] == ["a", "b", "c", "b", "b"]


def test_a_lost_connection_loses_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apiserver = Apiserver((200, b""), (0, b""), (200, b""))

    notes = apply(apiserver, tmp_path, monkeypatch)

    assert len(notes) == 1
    assert [line[14] for line, _, _ in apiserver.requests] == ["a", "b", "b", "c"]


PODS = {
    "items": [
        {
            "status": {
                "containerStatuses": [
                    {
                        "image": "127.0.0.1/a",
                        "state": {
                            "waiting": {
                                "reason": "ErrImagePull",
                                "message": 'Head "https://127.0.0.1/v2/": dial tcp: network is unreachable',
                            }
                        },
                    }
                ]
            }
        }
    ]
}


def test_a_pull_from_a_host_without_ipv6_is_explained_and_no_answer_is_no_opinion() -> None:
    apiserver = Apiserver((200, json.dumps(PODS).encode()), (403, b""), (0, b""))

    async def ask() -> tuple[object, ...]:
        asker = driver.Asker()
        try:
            async with apiserver.serving() as url:
                probe = Probe("kubelet", f"{url}/api/v1/pods?fieldSelector=x")
                return tuple([await asker.pulls(probe, None) for _ in range(3)])
        finally:
            await asker.close()

    found, refused, closed = asyncio.run(ask())

    assert isinstance(found, tuple)
    assert [(trouble.reason, trouble.subject) for trouble in found] == [(Reason.IMAGE, "127.0.0.1/a")]
    assert (refused, closed) == (None, None)
    assert apiserver.requests[0][0] == "GET /api/v1/pods?fieldSelector=x"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::1", Addresses.IPV6), ("127.0.0.1", Addresses.ONLY_IPV4), ("a" * 64, Addresses.NONE)],
)
def test_what_a_resolver_has_is_found_out_for_both_families(host: str, expected: Addresses) -> None:
    assert asyncio.run(driver.addresses_of(host)) is expected


UNBORN, BEGUN = (
    (Path(__file__).parent.parent / f"vectors/etcd-{name}.wal").read_bytes() for name in ("unborn", "begun")
)


def etcd_data(root: Path, log: bytes, *more: str) -> Path:
    """A data directory of etcd with this log, and with further files."""
    for name in ("member/wal/0.tmp", "member/snap/db", *more):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "member/wal" / etcd_log.FIRST).write_bytes(log.ljust(1 << 20, b"\0"))
    return root


def test_what_etcd_had_only_begun_to_make_is_removed(tmp_path: Path) -> None:
    data = etcd_data(tmp_path / "etcd", UNBORN)

    assert driver.remove_unborn(str(data))
    assert list(data.iterdir()) == []
    assert not driver.remove_unborn(str(data))


@pytest.mark.parametrize(
    ("log", "more"),
    [
        (BEGUN, ()),
        (UNBORN, ("member/wal/0000000000000001-0000000000001000.wal",)),
        (UNBORN, ("member/snap/0000000000000002-0000000000001000.snap",)),
        (b"", ()),
    ],
    ids=["an entry", "a second segment", "a snapshot", "no log"],
)
def test_what_may_be_somebodys_stays(tmp_path: Path, log: bytes, more: tuple[str, ...]) -> None:
    data = etcd_data(tmp_path / "etcd", log, *more)
    before = sorted(data.rglob("*"))

    assert not driver.remove_unborn(str(data))
    assert sorted(data.rglob("*")) == before


def test_a_node_that_never_had_etcd_has_nothing_to_remove(tmp_path: Path) -> None:
    assert not driver.remove_unborn(str(tmp_path / "etcd"))
