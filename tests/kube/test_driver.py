"""Writing plans, asking services and applying objects, against real files and a scripted apiserver."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hepto.kube import driver
from hepto.kube.files import Directory, File, KubePlan
from hepto.kube.health import Expect, Health, Probe
from hepto.kube.objects import Object
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


def apply(apiserver: Apiserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(driver, "APPLY_RETRY", 0.0)
    notes: list[str] = []

    async def run() -> None:
        async with apiserver.serving(tmp_path) as url, asyncio.timeout(10):
            pem = pair("bootstrap", ISSUER, now=NOW).pem
            await driver.bootstrap(url, str(tmp_path / "ca.crt"), pem, OBJECTS, notes.append)

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
