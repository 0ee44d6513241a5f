"""`hepto key`: makes a gossip key, the identity of a node, or a pair of keys for backups."""

import os
import secrets
import sys
from pathlib import Path

import click

from hepto.cli.output import print_json
from hepto.errors import ExitCode, UserError

KEY_BYTES = 32
MODE = 0o600


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it to a new file that only you may read."
)
@click.option("--identity", is_flag=True, help="Make the identity of one node that has no disk.")
@click.option("--backup", is_flag=True, help="Make a pair for backups: what encrypts them, and what opens them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the key, or the file that it is in.")
def command(output: Path | None, identity: bool, backup: bool, as_json: bool) -> None:
    """Make a gossip key: 32 random bytes in hex. It is the same on all nodes of a cluster, and secret.

    With --identity, the key that one node is known by, for its credential hepto.identity; and the fingerprint that
    `hepto node admit` and `replace` take.

    With --backup, a pair of keys as `age` has them (X25519). What is printed is the public half, for hepto.backup-to of
    the masters; the private half in FILE stays with you, away from the cluster: it opens every backup. It is never
    shown on a terminal, except with `--output -`.

    \b
    Examples:
      hepto key --output demo.key
      hepto key
      hepto key --identity --output two.identity
      hepto key --backup --output backup.key
    """
    if identity and backup:
        raise UserError("--identity and --backup are keys of two kinds", "make one after the other", ExitCode.USAGE)
    if backup:
        _make_pair(output, as_json=as_json)
        return
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


def _make_pair(output: Path | None, *, as_json: bool) -> None:
    from hepto import recipients
    from hepto.wireguard import public_key

    if output is None and sys.stdout.isatty():
        what = "the private half would be shown on the terminal"
        raise UserError(what, "name a file with --output FILE, or say --output - to have it shown", ExitCode.USAGE)
    private = secrets.token_bytes(recipients.KEY_BYTES)
    recipient, text = recipients.recipient(public_key(private)), recipients.secret_text(private)
    shown = output is None or str(output) == "-"
    if output is not None and not shown:
        write_new(output, f"# public key: {recipient}\n{text}\n".encode())
    if as_json:
        print_json({"recipient": recipient, **({"key": text} if shown else {"output": str(output)})})
    elif shown:
        click.echo(f"# public key: {recipient}\n{text}")
    else:
        click.echo(recipient)


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
