"""P9: what it takes to make and sign a worker's certificates, and how much longer a whole join is.

    certificates  new keys, and the signer's certificates for them: nothing else
    join          keys, then connection, relay's line, TLS, hello, welcome, request and answer over the loopback device,
                  with the register on the disk before the answer, until the node has verified what it got
    enrol         what came of it into the node's own files

All is production code; node and master share a process and its only thread, so the times of both sides add up.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import IPv6Address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bench import report
from bench.report import Row, Target
from hepto.api import client
from hepto.api.client import Candidate, Keys, Membership
from hepto.api.relay import Here, Relay
from hepto.api.server import ApiServer, Settings
from hepto.api.signing import Signing
from hepto.node.api import Proof
from hepto.pki import issue, store
from hepto.pki.driver import Pki
from hepto.pki.issue import Issuer
from hepto.pki.joiner import Enrolment
from hepto.pki.profiles import BY_NAME, Authority
from hepto.pki.register import MOST_NAMES_AN_HOUR
from hepto.pki.signer import enrolled_subject
from hepto.values import Role, Secret
from hepto.wireguard import public_key

CLUSTER = "bench"
KEY = Secret(bytes(32))
PROOF = Proof(CLUSTER, lambda: KEY)
TARGETS = (Target("time", "certificates", 5.0, 1.0), Target("time", "join", 50.0, 1.0))


class Stopwatch:
    """Milliseconds since it was made, as rows: by the wall, and of the processor."""

    def __init__(self, variant: str):
        self._variant = variant
        self._began = time.perf_counter(), time.process_time()

    def rows(self) -> list[Row]:
        """So far."""
        wall, processor = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        return [
            Row(self._variant, "time", wall * 1000, "ms"),
            Row(self._variant, "processor time", processor * 1000, "ms"),
        ]


class Site(NamedTuple):
    """A master that is there to be asked."""

    api: Candidate
    issuer: Issuer


def wireguard_key() -> Secret:
    """A new one, private."""
    return Secret(X25519PrivateKey.generate().private_bytes_raw())


def node(directory: Path, name: str, role: Role = Role.NODE) -> Pki:
    """A node that has nothing yet."""
    (directory / name).mkdir()
    return Pki(str(directory / name), enrolled_subject(CLUSTER, name, role))


@asynccontextmanager
async def master(directory: Path) -> AsyncIterator[Site]:
    """A cluster of one node, and its API on the loopback device."""
    pki, wireguard, now = node(directory, "mymaster", Role.FULL), wireguard_key(), datetime.now(UTC)
    pki.establish(now, plausible=True)
    pki.enrol_master(pki.identity(), public_key(wireguard.reveal()), now)
    kept = directory / "mymaster" / "pki"
    issuer = store.load_issuer((kept / store.issuer_name(Authority.CLUSTER)).read_bytes())
    signing = Signing(pki.signer(wireguard, (KEY,), admit="key"), pki.keep_register, lambda: datetime.now(UTC))
    settings = Settings(0, str(kept / store.pair_name(BY_NAME["node-api"])), "::1")
    server = ApiServer(settings, signing.doors(), lambda _: False, Relay(PROOF, lambda _: Here()))
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.run(port.set_result))
    await asyncio.wait((port, task), return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            task.result()
        yield Site(Candidate(IPv6Address("::1"), port.result()), issuer)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make(pki: Pki, issuer: Issuer, now: datetime) -> tuple[Keys, dict[str, x509.Certificate]]:
    """All that a new node's role wants: keys, and certificates for them."""
    keys = pki.new_keys(now)
    return keys, {
        name: issue.leaf(BY_NAME[name], pki.subject, key.public_key(), issuer, x509.random_serial_number(), now)
        for name, key in keys.items()
    }


async def run(directory: Path, name: str, site: Site) -> list[Row]:
    """One node: its certificates alone, then its whole join."""
    pki, wireguard = node(directory, name), wireguard_key()
    identity = pki.identity()
    watch = Stopwatch("certificates")
    make(pki, site.issuer, datetime.now(UTC))
    rows = watch.rows()

    watch = Stopwatch("join")
    keys = pki.new_keys(datetime.now(UTC))
    joiner = lambda: pki.joiner(identity, wireguard, KEY)  # noqa: E731
    enrolment = await client.join([site.api], joiner, keys, Membership(CLUSTER, PROOF))
    rows += watch.rows()
    assert isinstance(enrolment, Enrolment), "the key lets in"

    watch = Stopwatch("enrol")
    pki.enrol(enrolment, keys)
    rows += watch.rows()
    assert not pki.due(datetime.now(UTC)), "it has all that it needs"
    return rows


async def measure(directory: Path, runs: int) -> list[Row]:
    """One node after the other, by one master; the first, which imports and warms up, is not counted."""
    async with master(directory) as site:
        await run(directory, "node0", site)
        return [row for turn in range(runs) for row in await run(directory, f"node{turn + 1}", site)]


def main(arguments: list[str]) -> int:
    """As many nodes as one master lets in within an hour, less one."""
    most = MOST_NAMES_AN_HOUR - 1
    parser = argparse.ArgumentParser(prog="bench.certificates")
    parser.add_argument("--runs", type=int, default=most, choices=range(1, most + 1), metavar=f"1-{most}")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        rows = asyncio.run(measure(Path(directory), given.runs))
    report.finish("certificates", rows, TARGETS)
    for what in ("time", "processor time"):
        ratio = report.median(rows, "join", what) / report.median(rows, "certificates", what)
        print(f"{what}: join / certificates = {ratio:.2f}")
    return 0


if __name__ == "__main__":
    report.run(main)
