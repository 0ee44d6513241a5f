"""P4 with many members: how much memory an agent takes more once it knows 1,000 nodes of its cluster.

The modules of the whole agent are loaded before, so that only what is held of the members counts: in the gossip core,
which hears of all in one exchange as after a boot, and in the roster, which verifies each one's grant and endpoint and
makes peers of them. The mesh's links and the kernel's own memory are not in it. Another process makes the members, as
keys and signatures leave garbage behind.
"""

import argparse
import gc
import os
import random
import subprocess
import sys
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import NamedTuple

import msgpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

import hepto.node.agent  # noqa: F401 (all that an agent has loaded)
from bench import report
from bench.gossip_processes import memory_mebibytes
from bench.report import Row
from hepto.address import AddressPlan
from hepto.gossip import limits, stream
from hepto.gossip.compat import Compat
from hepto.gossip.core import Gossip
from hepto.gossip.messages import Address, NodeState, PushPull, Status
from hepto.gossip.model import Accepted, Started
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.plain import VERSIONS
from hepto.gossip.settings import Settings
from hepto.node.roster import Roster, Said
from hepto.node.standing import Standing
from hepto.pki import grant, issue
from hepto.pki.grant import Grant
from hepto.pki.profiles import Authority
from hepto.values import Role

CLUSTER = "bench"
COMPAT = Compat.NONE
PORT, API_PORT, MESH_PORT = 7946, 7947, 7948
NETWORK = int(IPv6Address("2001:db8::"))


class Agent(NamedTuple):
    """The parts of an agent that know members."""

    core: Gossip
    roster: Roster


def envelope() -> PacketEnvelope:
    """Without keys: they are the same for one member and for a thousand."""
    return PacketEnvelope(COMPAT.label(CLUSTER), None, random_bytes=os.urandom)


def place(number: int) -> Address:
    """Where the member of this number is."""
    return Address(IPv6Address(NETWORK + number).packed, PORT)


def make(members: int) -> bytes:
    """msgpack of the CA's certificate in DER and a push/pull that tells of so many members, as it is on the wire."""
    now = datetime.now(UTC)
    issuer = issue.authority(Authority.CLUSTER, CLUSTER, ec.generate_private_key(ec.SECP256R1()), 1, now)
    fingerprint, unix = issuer.certificate.fingerprint(hashes.SHA256()), int(now.timestamp())
    states = []
    for number in range(1, members + 1):
        identity, name, address = Ed25519PrivateKey.generate(), f"node{number}", place(number)
        public = identity.public_key().public_bytes_raw()
        given = Grant(name, Role.NODE, public, os.urandom(32), number, unix, unix + grant.LIFETIME)
        standing = Standing(name, API_PORT, MESH_PORT, identity, grant.issue(given, fingerprint, issuer.key))
        places = (address.ip, place(number + (1 << 64)).ip)
        meta = COMPAT.meta(standing.meta(places, unix * 1000))
        states.append(NodeState(name.encode(), address, meta, unix, Status.ALIVE, VERSIONS))
    told = stream.encode(PushPull(tuple(states)), envelope(), initiator=True)
    made: bytes = msgpack.packb([issuer.certificate.public_bytes(Encoding.DER), told])
    return made


def learn(made: bytes) -> Agent:
    """An agent that has heard this, and has judged it as hepto/node does."""
    authority, told = msgpack.unpackb(made)
    plan, own, unix = AddressPlan(CLUSTER), place(0), datetime.now(UTC).timestamp()
    roster = Roster(plan, "own")
    roster.trust(x509.load_der_x509_certificate(authority))
    settings = Settings(b"own", own, incarnation=int(unix))
    core = Gossip(settings, envelope(), COMPAT.application(b"own", roster.verify), random.Random(1))
    core.handle(Started(), 0.0)
    message = stream.StreamReader(envelope(), limits.STREAM_GRANTED, initiator=False).feed(told)
    assert isinstance(message, PushPull), "it is whole"
    core.handle(Accepted(1, place(1), message), 1.0)
    core.effects()
    metas = ((claim, COMPAT.read(claim.meta)) for claim in core.members() if claim.name != b"own")
    roster.learn((Said(one.name.decode(), IPv6Address(one.address.ip), meta) for one, meta in metas if meta), unix)
    roster.peers()
    return Agent(core, roster)


def measure(made: bytes) -> tuple[list[Row], Agent]:
    """PSS of this process before and after, in MiB; and the agent, which must be there until it is measured."""
    gc.collect()
    before = memory_mebibytes([os.getpid()])
    agent = learn(made)
    gc.collect()
    after = memory_mebibytes([os.getpid()])
    found = (("before", before), ("after", after), ("growth", after - before))
    return [Row("agent", what, value, "MiB") for what, value in found], agent


def main(arguments: list[str]) -> int:
    """One agent, one measurement."""
    parser = argparse.ArgumentParser(prog="bench.agent_members")
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--make", action="store_true", help="write the members instead, for another process")
    given = parser.parse_args(arguments)
    if given.make:
        sys.stdout.buffer.write(make(given.members))
        return 0
    words = [sys.executable, "-m", "bench.agent_members", "--make", f"--members={given.members}"]
    rows, agent = measure(subprocess.run(words, capture_output=True, check=True).stdout)
    report.finish("agent_members", rows, ())
    print(f"{len(agent.roster.peers())} peers, {len(agent.core.members())} members with itself")
    return 0


if __name__ == "__main__":
    report.run(main)
