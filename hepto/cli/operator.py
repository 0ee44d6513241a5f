"""What an operator's commands have in common: whom to ask, which CA to insist on, and an SSH key that signs.

A cluster's CA is remembered at the first use, below $XDG_STATE_HOME/hepto/clusters/NAME: it is compared with `--ca`,
else a person is asked, else it is refused (exit 4). Signing is left to ssh-keygen, so that every key it can use is good
here: a file, one with a passphrase, one in ssh-agent.
"""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from hepto.api import orders
from hepto.api.client import Candidate, Membership
from hepto.api.operators import Verb
from hepto.api.orders import Operator
from hepto.cli.flags import environment_givens, secret_given
from hepto.config import Config, resolve
from hepto.edge import process
from hepto.errors import ExitCode, UserError
from hepto.given import Given, Source, SourceKind, printable
from hepto.options import BY_NAME
from hepto.pki import fields, store
from hepto.pki.operator import Order
from hepto.pki.sshsig import NAMESPACE
from hepto.values import Anchor
from init.contract import durable

SIGN_SECONDS: Final = 120.0
"""A passphrase may have to be typed, a touch given."""
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")

T = TypeVar("T")


class Session:
    """Asks nodes of one cluster. Blocking."""

    def __init__(self, config: Config, operator: Operator):
        self.config = config
        self.operator = operator

    @property
    def authority(self) -> x509.Certificate:
        """The cluster's CA."""
        authority = self.operator.membership.authority
        assert authority is not None, "a session begins when it is known"
        return authority

    @property
    def directory(self) -> Path:
        """What is remembered of the cluster."""
        return state_directory(self.config.cluster)

    def order(self, target: str | None, verb: Verb, *arguments: str) -> Any:
        """What the node answers, fit for a terminal. Any: what JSON can say. Raises UserError."""
        return clean(_run(orders.order(self.operator, target, verb, arguments)))

    def stream(self, target: str | None, verb: Verb, *arguments: str) -> None:
        """Copy the answer to standard output."""
        is_terminal = sys.stdout.isatty()

        def show(piece: bytes) -> None:
            sys.stdout.buffer.write(_CONTROL.sub(b"?", piece) if is_terminal else piece)
            sys.stdout.buffer.flush()

        self.copy(show, target, verb, *arguments)

    def copy(self, put: Callable[[bytes], object], target: str | None, verb: Verb, *arguments: str) -> None:
        """Hand the answer to `put`, as it is. Raises UserError, and what `put` raises."""

        async def copy() -> None:
            async for piece in orders.stream(self.operator, target, verb, arguments):
                put(piece)

        _run(copy())


def open_session(given: dict[str, str], ssh_key: str | None) -> Session:
    """With what flags and the environment say. Raises UserError."""
    config = configuration(given)
    if not config.anchor:
        raise UserError("it is not said whom to ask", "name a member with --anchor HOST", ExitCode.USAGE)
    if not config.key:
        what, hint = "the cluster's gossip key is missing", "give it with --key @FILE, or HEPTO_KEY=@FILE"
        raise UserError(what, hint, ExitCode.USAGE)
    mac = partial(fields.mac, fields.join_key(config.key[0].reveal(), config.cluster))
    candidates = [candidate for anchor in config.anchor for candidate in addresses(anchor, config.api_port)]
    authority = pinned(config, lambda: _run(orders.learn(candidates, Membership(config.cluster, mac))))
    sign = partial(_sign, _ssh_key(ssh_key))
    return Session(config, Operator(candidates, Membership(config.cluster, mac, authority), sign))


def configuration(given: dict[str, str]) -> Config:
    """Flags outrank the environment. Raises UserError."""
    source = Source(SourceKind.FLAG)
    flags = [
        secret_given(BY_NAME[name], text) if BY_NAME[name].secret else Given(name, os.fsencode(text), source)
        for name, text in given.items()
    ]
    # The environment may hold options of a node as well; those of no concern here must not stop this.
    named = [one for one in environment_givens() if one.name.replace("_", "-") in _NAMES]
    return resolve([*flags, *named], key_elsewhere=True).require()


_NAMES: Final = ("anchor", "cluster", "key", "ca", "api-port")


def addresses(anchor: Anchor, port: int) -> list[Candidate]:
    """Where the node API of a member is. Raises UserError."""
    if anchor.port is not None:
        what = f"--anchor={anchor.host} has a port"
        raise UserError(what, "leave it out; the node API's is --api-port", ExitCode.USAGE)
    try:
        found = socket.getaddrinfo(anchor.host, port, socket.AF_INET6, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        what, hint = f"{anchor.host} has no IPv6 address", "name another member with --anchor HOST"
        raise UserError(what, hint, ExitCode.UNREACHABLE) from None
    return [Candidate(IPv6Address(place[0]), port) for *_, place in found]


# --- the cluster's CA


def state_directory(cluster: str) -> Path:
    """`$XDG_STATE_HOME/hepto/clusters/NAME`."""
    base = os.environ.get("XDG_STATE_HOME")
    state = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local/state"
    return state / "hepto/clusters" / cluster


def pinned(config: Config, learn: Callable[[], x509.Certificate]) -> x509.Certificate:
    """The CA that this machine knows, or one that is known from now on. Raises UserError."""
    path = state_directory(config.cluster) / "ca.crt"
    try:
        known = store.load_certificate(path.read_bytes())
    except FileNotFoundError:
        authority = learn()
        _believe(config, fingerprint(authority))
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        durable.write(str(path), store.certificate_pem(authority), durable.MODE_PUBLIC)
        return authority
    except store.UnreadableError:
        raise UserError(f"{path} is no certificate", "remove it, to compare the CA's fingerprint anew") from None
    if config.ca is not None and config.ca != fingerprint(known):
        what = f"the CA of {config.cluster} that is known here is {fingerprint(known)}, not that of --ca"
        raise UserError(what, f"if the cluster was made anew, remove {path}", ExitCode.REFUSED)
    return known


def _believe(config: Config, shown: str) -> None:
    if config.ca is not None:
        if config.ca != shown:
            what = f"the cluster's CA is {shown}, not that of --ca"
            raise UserError(what, "somebody poses as the cluster, or it was made anew", ExitCode.REFUSED)
        return
    hint = f"compare it with “hepto status” on a node, then give --ca {shown}"
    if not sys.stdin.isatty():
        raise UserError(f"the CA of {config.cluster} is not known here; {shown} is shown", hint, ExitCode.REFUSED)
    click.echo(f"The CA of {config.cluster} is not known here. A member shows\n  {shown}", err=True)
    if not click.confirm("Is this what “hepto status” prints on a node?", err=True):
        raise UserError(f"the CA of {config.cluster} is not believed", hint, ExitCode.REFUSED)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 in hex, the value of hepto.ca."""
    return certificate.fingerprint(hashes.SHA256()).hex()


# --- the operator's key


def _ssh_key(given: str | None) -> Path | None:
    """The file to sign with; None: the first ed25519 key in ssh-agent."""
    if given is not None:
        if not Path(given).is_file():
            raise UserError(f"{given}: there is no such file", "name your SSH key with --ssh-key FILE", ExitCode.USAGE)
        return Path(given)
    usual = Path.home() / ".ssh/id_ed25519"
    return usual if usual.is_file() else None


async def _sign(
    key: Path | None, node: str, verb: Verb, arguments: tuple[str, ...], nonce: bytes
) -> tuple[bytes, bytes]:
    """The order's bytes, and the signature. Raises UserError."""
    data = Order(node, verb.value, arguments, nonce).signed()
    try:
        return data, await ssh_sign(key, data)
    except FileNotFoundError:
        raise UserError("there is no ssh-keygen", "install OpenSSH's client", ExitCode.FAILED) from None
    except OSError as error:
        what = f"nothing was signed: {error}"
        raise UserError(printable(what), "name your SSH key with --ssh-key FILE", ExitCode.REFUSED) from None


async def ssh_sign(key: Path | None, data: bytes) -> bytes:
    """An armoured SSHSIG by the key in this file, or in ssh-agent. Raises OSError."""
    if key is not None:
        argv = ("ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key))
        return (await process.run(argv, data, timeout=SIGN_SECONDS)).stdout
    known = (await process.run(("ssh-add", "-L"))).stdout
    line = next((line for line in known.splitlines() if line.startswith(b"ssh-ed25519 ")), None)
    if line is None:
        raise OSError("ssh-agent has no ed25519 key")
    # ssh-keygen wants a file; this one holds the public half only, and is gone when the descriptor is closed.
    descriptor = os.memfd_create("key.pub", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, line + b"\n")
        return await ssh_sign(Path(f"/proc/{os.getpid()}/fd/{descriptor}"), data)
    finally:
        os.close(descriptor)


# --- what comes from a node


def clean(value: Any) -> Any:
    """The same, without what a terminal would obey: a node that was taken over must not write to the operator's."""
    if isinstance(value, str):
        return "\n".join(map(printable, value.split("\n")))
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
