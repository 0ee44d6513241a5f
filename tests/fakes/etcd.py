"""An etcd that gives a snapshot, over TLS to whoever its CA knows (tests/backup/test_real_etcd.py asks a real one the
same things)."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.backup.database import SNAPSHOT

STATUS = {
    "header": {"cluster_id": "256858147113938919", "member_id": "1047268123307745355", "revision": "4"},
    "version": "3.7.3",
}


@dataclass
class FakeEtcd:
    """What it answers with."""

    snapshot: bytes = SNAPSHOT
    status: int = 200
    error: str = ""
    cut: bool = False
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def lines(self) -> bytes:
        """The answer as the gateway gives it: a piece a line."""
        pieces = [self.snapshot[place : place + 5000] for place in range(0, len(self.snapshot), 5000)]
        data = b"".join(
            json.dumps({"result": {"blob": base64.b64encode(piece).decode()}}).encode() + b"\n" for piece in pieces
        )
        return data + (json.dumps({"error": {"message": self.error}}).encode() + b"\n" if self.error else b"")


@asynccontextmanager
async def serving(directory: Path, fake: FakeEtcd) -> AsyncIterator[FakeEtcd]:
    """With the certificates of the node whose data is in `directory`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/pki/etcd-server.pem")
    context.load_verify_locations(f"{directory}/pki/etcd-ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            path = head.split(b" ")[1].decode()
            fake.asked.append(path)
            body = json.dumps(STATUS).encode() if path.endswith("/status") else fake.lines()
            chunk = b"%x\r\n%s\r\n" % (len(body), body)
            if fake.cut:
                chunk = chunk[:-100]
            writer.write(b"HTTP/1.1 %d x\r\nTransfer-Encoding: chunked\r\n\r\n" % fake.status + chunk)
            writer.write(b"" if fake.cut else b"0\r\n\r\n")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "::1", 0, ssl=context)
    fake.url = f"https://[::1]:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield fake
