"""A cluster of one master and one node for the tests of hepto/api: certificates in files, a key, doors that answer."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import IPv6Address
from pathlib import Path

from cryptography import x509

from hepto.api.client import Candidate, Keys, Membership
from hepto.api.relay import Relay
from hepto.api.routes import Door, Reply
from hepto.api.server import ApiServer, Settings
from hepto.errors import PeerError
from tests.pki.example import MASTER, WORKER, authority, pair

NOW = datetime.now(UTC)
CLUSTER = authority(now=NOW)
STRANGER = authority(now=NOW)
LOOPBACK = IPv6Address("::1")
SECONDS = 5.0


class Mac:
    """HMAC under one key; the real one is made of hepto.pki.fields."""

    def __init__(self, key: bytes = b"key"):
        self.key = key

    def __call__(self, name: str, *fields: bytes) -> bytes:
        signed = b"".join(len(field).to_bytes(4, "big") + field for field in (name.encode(), *fields))
        return hmac.digest(self.key, signed, hashlib.sha256)


MAC = Mac()


def membership(ca: x509.Certificate | None = None, mac: Mac = MAC) -> Membership:
    return Membership("mycluster", mac, ca)


def certificate(directory: Path, *, master: bool = True) -> str:
    """The file of the node API's certificate."""
    subject = MASTER if master else WORKER
    path = directory / f"{subject.node}.pem"
    path.write_bytes(pair("node-api", CLUSTER, subject, NOW).pem())
    return str(path)


@asynccontextmanager
async def serving(
    certificate: str, doors: Mapping[str, Door], relay: Relay | None = None, seconds: float = SECONDS
) -> AsyncIterator[tuple[Candidate, ApiServer]]:
    server = ApiServer(Settings(0, certificate, "::1", seconds=seconds), doors, lambda _ip: False, relay)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.run(port.set_result))
    await asyncio.wait((port, task), return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            task.result()
        yield Candidate(LOOPBACK, port.result()), server
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Signer:
    """Doors that play a master: the nonce of a hello is wanted in the request."""

    def __init__(self, status: int = 200):
        self.status = status
        self.server_keys: set[bytes] = set()

    async def hello(self, body: bytes, server_key: bytes) -> Reply:
        self.server_keys.add(server_key)
        if not body.startswith(b"key"):
            raise PeerError("hello-bad-mac")
        return Reply(200, b"nonce for " + body)

    async def request(self, body: bytes, server_key: bytes) -> Reply:
        if body != b"nonce for key" + server_key:
            return Reply(401, reason="join-bad-mac")
        return Reply(200, b"welcome") if self.status == 200 else Reply(self.status, b"no", "name-taken")

    def doors(self) -> dict[str, Door]:
        return {"/v1/hello": self.hello, "/v1/join": self.request, "/v1/renew": self.request}


class Asker:
    """Plays a joiner or a renewer."""

    def __init__(self, key: bytes = b"key", hides: bool = False):
        self.key = key
        self.nonce = b""
        self.hides = hides

    def hello(self) -> bytes:
        return self.key

    def hello_answered(self, body: bytes) -> None:
        if self.hides:
            raise PeerError("another-ca", "11 is not 22")
        self.nonce = body

    def request(self, server_key: bytes, keys: Keys) -> bytes:
        return self.nonce + server_key

    def answered(self, body: bytes) -> str:
        if body == b"no":
            raise PeerError("name-taken", "hepto node replace")
        return body.decode()
