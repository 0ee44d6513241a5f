"""A cluster that an operator can ask: a master's API in a thread, the SSH keys of two people, and an empty home."""

import asyncio
import contextlib
import functools
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from hepto.api.operators import Operators, Ordered, Verb, VerbHandler
from hepto.api.relay import Here, Relay
from hepto.cli import operator as cli
from hepto.pki import fields, operator, sshsig
from tests.api.example import CLUSTER, certificate, serving

KEY = bytes(range(32))
NAME = "mycluster"
HOST = "one.example.org"


def ssh_key(path: Path) -> str:
    """A new key at `path`, as OpenSSH keeps it; its public half."""
    key = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    path.with_suffix(".pub").write_text(public + "\n")
    return public


async def sign(path: Path | None, data: bytes) -> bytes:
    """What ssh-keygen does; tests/cli/test_operator.py compares."""
    if path is None:
        raise OSError("no key")
    key = load_ssh_private_key(path.read_bytes(), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return sshsig.make(key.public_key().public_bytes_raw(), data, key.sign)


def look_up(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
    """HOST is this machine."""
    if host != HOST:
        raise socket.gaierror
    return [(socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", port, 0, 0))]


@dataclass
class Outside:
    """Words to say, and what the master has heard."""

    home: Path
    port: int
    ca: str
    heard: list[tuple[str, ...]] = field(default_factory=list)

    def words(self, *words: str, key: str = "key") -> list[str]:
        return [
            *words,
            *("--anchor", HOST, "--api-port", str(self.port), "--cluster", NAME, "--key", f"@{self.home / key}"),
        ]


@contextlib.contextmanager
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handlers: Mapping[Verb, VerbHandler]) -> Iterator[Outside]:
    """The operator's machine, with `id` in hepto.admin and `other` not; the master knows these verbs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(cli, "ssh_sign", sign)
    (tmp_path / "key").write_text(KEY.hex() + "\n")
    (tmp_path / "wrong").write_text(bytes(32).hex() + "\n")
    (tmp_path / ".ssh").mkdir()
    admins = (ssh_key(tmp_path / ".ssh/id_ed25519"),)
    ssh_key(tmp_path / "other")
    heard: list[tuple[str, ...]] = []
    stop, started, ports = asyncio.Event(), threading.Event(), []
    loop = asyncio.new_event_loop()

    def recording(verb: Verb, handler: VerbHandler) -> VerbHandler:
        async def handle(arguments: tuple[str, ...], ordered: Ordered) -> object:
            heard.append((verb.value, *arguments))
            return await handler(arguments, ordered)

        return handle

    async def run() -> None:
        mac = functools.partial(fields.mac, fields.join_key(KEY, NAME))
        door = Operators(
            "mymaster",
            CLUSTER.certificate.public_bytes(Encoding.DER),
            mac,
            lambda order, signature: operator.verify(order, signature, admins, "mymaster"),
            {verb: recording(verb, handler) for verb, handler in handlers.items()},
            token=secrets.token_bytes,
            clock=time.monotonic,
        )
        async with serving(certificate(tmp_path), {"/v1/operator": door}, Relay(mac, lambda _: Here())) as (place, _):
            ports.append(place.port)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert started.wait(10)
        yield Outside(tmp_path, ports[0], cli.fingerprint(CLUSTER.certificate), heard)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
