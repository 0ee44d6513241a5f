"""`hepto key`: makes a gossip key, or the identity of a node."""

import os
import secrets
from pathlib import Path

import click

from hepto.cli.output import print_json
from hepto.errors import UserError

KEY_BYTES = 32
MODE = 0o600


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it to a new file that only you may read."
)
@click.option("--identity", is_flag=True, help="Make the identity of one node that has no disk.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the key, or the file that it is in.")
def command(output: Path | None, identity: bool, as_json: bool) -> None:
    """Make a gossip key: 32 random bytes in hex. It is the same on all nodes of a cluster, and secret.

    With --identity, the key that one node is known by, for its credential hepto.identity; and the fingerprint that
    `hepto node admit` and `replace` take.

    \b
    Examples:
      hepto key --output demo.key
      hepto key
      hepto key --identity --output two.identity
    """
    text = secrets.token_hex(KEY_BYTES)
    found = {"key": text} if output is None else {"output": str(output)}
    if output is not None:
        write_new(output, text.encode() + b"\n")
    if identity:
        found["fingerprint"] = _fingerprint(text)
    if as_json:
        print_json(found)
        return
    if output is None:
        click.echo(text)
    if identity:
        click.echo(f"fingerprint {found['fingerprint']}", err=output is None)


def _fingerprint(identity: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from hepto.pki.fields import fingerprint

    return fingerprint(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(identity)).public_key().public_bytes_raw())


def write_new(path: Path, data: bytes) -> None:
    """Write a secret to a file that does not exist yet: a key that is overwritten is a cluster that is lost."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    except FileExistsError:
        raise UserError(f"{path} is there already", "choose another name, or remove it first") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", "choose a directory that can be written to") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise
