"""`hepto backup`: a backup of a master, taken now. On the master itself, or from outside with an operator's key."""

import asyncio
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from hepto.cli.output import print_json
from hepto.cli.remote import Remote, remote_options
from hepto.cli.status import no_node
from hepto.errors import ExitCode, UserError
from hepto.node.facts import Backup
from init.contract import durable, paths

STANDARD_OUTPUT = "-"


@click.command()
@click.option("-o", "--output", metavar="FILE", help="Write it to this file; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: where it is, its size, and when it was made.")
@remote_options
def command(remote: Remote, output: str | None, as_json: bool) -> None:
    """Take a backup of this master now; with --anchor, of the cluster's, which is written to FILE.

    It holds what another machine needs to become the same cluster: etcd's data, CAs and keys, and who belongs to it,
    encrypted to the recipients in hepto.backup-to. Without any it stays on the master's own disk. The program `age`
    opens it as well: `age -d -i backup.key FILE | tar xz`.

    \b
    Examples:
      hepto backup
      hepto backup --json | jq -r .path
      hepto backup --anchor one.example.org --key @demo.key -o demo.age
    """
    if output == STANDARD_OUTPUT and sys.stdout.isatty():
        raise UserError("a backup is nothing for a terminal", "name a file with --output FILE", ExitCode.USAGE)
    if output == STANDARD_OUTPUT and as_json:
        raise UserError("--json and the backup would be mixed", "name a file with --output FILE", ExitCode.USAGE)
    found = _fetch(remote, output) if remote.wanted else _take(output)
    if as_json:
        print_json(found)
    elif output != STANDARD_OUTPUT:
        click.echo(found["path"])


def _fetch(remote: Remote, output: str | None) -> dict[str, object]:
    """From outside."""
    from hepto.api.operators import Verb
    from hepto.api.relay import MASTER

    if output is None:
        raise UserError("it is not said where the backup goes", "name a file with --output FILE", ExitCode.USAGE)
    session, size = remote.session(), 0
    if output == STANDARD_OUTPUT:
        session.copy(sys.stdout.buffer.write, MASTER, Verb.BACKUP)
        sys.stdout.buffer.flush()
        return {}
    path = str(Path(output).absolute())
    try:
        with durable.writing(path) as put:

            def write(piece: bytes) -> None:
                nonlocal size
                size += len(piece)
                put(piece)

            session.copy(write, MASTER, Verb.BACKUP)
    except OSError as error:
        raise _unwritten(error) from None
    return {"path": path, "size": size, "made": int(datetime.now(UTC).timestamp()), "encrypted": True}


def _take(output: str | None) -> dict[str, object]:
    """On the master."""
    if not os.path.islink(paths.NODE):  # noqa: PTH114 - paths are texts all through the contract
        raise no_node("hepto lab exec NODE -- hepto backup")
    from hepto.node import backups, identity
    from hepto.node.machine_facts import image

    config, directory = identity.configuration().require(), str(Path(paths.NODE).resolve())
    if output is not None and not config.backup_to:
        what = "this master has no recipients of backups, and none leaves it unencrypted"
        raise UserError(what, "make a pair with “hepto key --backup”, and boot it with hepto.backup-to=age1…")
    source = backups.Source(config.cluster, Path(directory).name, directory, config.backup_to, image().version)
    try:
        made = asyncio.run(backups.take(source, datetime.now(UTC)))
        if not made.encrypted:
            _warn()
        if output is None:
            return {"path": made.path, "size": made.size, "made": made.made, "encrypted": made.encrypted}
        return _copied(made, output)
    except OSError as error:
        raise _unwritten(error) from None


def _copied(made: Backup, output: str) -> dict[str, object]:
    with Path(made.path).open("rb") as file:
        if output == STANDARD_OUTPUT:
            shutil.copyfileobj(file, sys.stdout.buffer)
            return {}
        path = str(Path(output).absolute())
        with durable.writing(path) as put:
            while piece := file.read(1 << 18):
                put(piece)
    return {"path": path, "size": made.size, "made": made.made, "encrypted": True}


def _warn() -> None:
    click.echo("warning: it is not encrypted, and lost together with this disk: hepto.backup-to is not given", err=True)


def _unwritten(error: OSError) -> UserError:
    return UserError(f"no backup was written: {error}", "make room, or name another file")
