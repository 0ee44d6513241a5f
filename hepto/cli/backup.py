"""`hepto backup`: a backup of a master, taken now, or one that a node has. On the node, or with an operator's key."""

import asyncio
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hepto.cli.output import print_json, print_table
from hepto.cli.remote import Remote, remote_options
from hepto.cli.status import no_node
from hepto.errors import ExitCode, UserError
from hepto.node.facts import Backup
from init.contract import durable, paths

STANDARD_OUTPUT = "-"


@click.command()
@click.option("-o", "--output", metavar="FILE", help="Write it to this file; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: where it is, its size, and when it was made.")
@click.option("--list", "to_list", is_flag=True, help="Take none: list those that there are, on every node that is up.")
@click.option("--from", "source", metavar="NODE", help="Take none: fetch the newest one that this node has.")
@click.option("--name", metavar="NAME", help="With --from: not the newest, but this one.")
@remote_options
def command(
    remote: Remote, output: str | None, as_json: bool, to_list: bool, source: str | None, name: str | None
) -> None:
    """Take a backup of this master now; with --anchor, of the cluster's, which is written to FILE.

    It holds what another machine needs to become the same cluster: etcd's data, CAs and keys, and who belongs to it,
    encrypted to the recipients in hepto.backup-to. Without any it stays on the master's own disk. The program `age`
    opens it as well: `age -d -i backup.key FILE | tar xz`.

    Two other nodes keep copies of the last five. --list shows who has which, --from gets one back: also when the master
    is lost, for any node knows the operators.

    \b
    Examples:
      hepto backup
      hepto backup --json | jq -r .path
      hepto backup --anchor one.example.org --key @demo.key -o demo.age
      hepto backup --list --anchor two.example.org --key @demo.key
      hepto backup --from two --anchor two.example.org --key @demo.key -o demo.age
    """
    _check(output, as_json, to_list, source, name)
    if to_list:
        _list(remote, as_json)
        return
    if source is not None and not remote.wanted:
        raise remote.refuse(source)
    found = _fetch(remote, output, source, name) if remote.wanted else _take(output)
    if as_json:
        print_json(found)
    elif output != STANDARD_OUTPUT:
        click.echo(found["path"])


def _check(output: str | None, as_json: bool, to_list: bool, source: str | None, name: str | None) -> None:
    """Raises UserError for what cannot be meant."""
    if output == STANDARD_OUTPUT and sys.stdout.isatty():
        raise UserError("a backup is nothing for a terminal", "name a file with --output FILE", ExitCode.USAGE)
    if output == STANDARD_OUTPUT and as_json:
        raise UserError("--json and the backup would be mixed", "name a file with --output FILE", ExitCode.USAGE)
    if to_list and (output, source, name) != (None, None, None):
        raise UserError("--list writes no backup", "leave --output, --from and --name out", ExitCode.USAGE)
    if name is not None and source is None:
        raise UserError("it is not said which node has it", "name one with --from NODE", ExitCode.USAGE)


def _list(remote: Remote, as_json: bool) -> None:
    """Of this node, or of all that the anchor reaches."""
    rows = _everywhere(remote) if remote.wanted else _here()
    if as_json:
        print_json(rows)
        return
    from hepto.edge.logs import time_of_day

    table = [
        (
            str(one["node"]),
            time_of_day(one["made"], exact=False),
            str(one["size"]),
            "yes" if one["encrypted"] else "no",
            str(one["name"]),
        )
        for one in rows
    ]
    print_table(("NODE", "MADE", "BYTES", "ENCRYPTED", "NAME"), table)


def _here() -> list[dict[str, Any]]:
    if not os.path.islink(paths.NODE):  # noqa: PTH114 - paths are texts all through the contract
        raise no_node("hepto lab exec NODE -- hepto backup --list")
    from hepto.node import copies

    directory = Path(paths.NODE).resolve()
    return [{"node": directory.name, **copies.plain(one)} for one in copies.stored(str(directory))]


def _everywhere(remote: Remote) -> list[dict[str, Any]]:
    """A node that does not answer is named, and the others are asked all the same."""
    from hepto.api.operators import Verb

    session = remote.session()
    status = session.order(None, Verb.STATUS)
    peers = [peer["name"] for peer in status["mesh"]["peers"] if peer["state"] == "up"]
    rows = []
    for node in (status["node"], *peers):
        try:
            found = session.order(node, Verb.BACKUPS)
        except UserError as error:
            click.echo(f"warning: {node} is not listed: {error.what}", err=True)
        else:
            rows += [{"node": node, **one} for one in found]
    return rows


def _fetch(remote: Remote, output: str | None, source: str | None, name: str | None) -> dict[str, object]:
    """From outside."""
    from hepto.api.operators import Verb
    from hepto.api.relay import MASTER

    if output is None:
        raise UserError("it is not said where the backup goes", "name a file with --output FILE", ExitCode.USAGE)
    session, size = remote.session(), 0
    made = int(datetime.now(UTC).timestamp())
    target, verb = MASTER, Verb.BACKUP
    arguments: tuple[str, ...] = ()
    if source is not None:
        chosen = _choose(session.order(source, Verb.BACKUPS), source, name)
        made, target, verb, arguments = chosen["made"], source, Verb.COPY, (chosen["name"],)
    if output == STANDARD_OUTPUT:
        session.copy(sys.stdout.buffer.write, target, verb, *arguments)
        sys.stdout.buffer.flush()
        return {}
    path = str(Path(output).absolute())
    try:
        with durable.writing(path) as put:

            def write(piece: bytes) -> None:
                nonlocal size
                size += len(piece)
                put(piece)

            session.copy(write, target, verb, *arguments)
    except OSError as error:
        raise _unwritten(error) from None
    except UserError as error:
        if source is None and error.code is ExitCode.UNREACHABLE:
            raise UserError(
                error.what, "if the master is lost: “hepto backup --list”, then --from NODE", error.code
            ) from None
        raise
    return {"path": path, "size": size, "made": made, "encrypted": True}


def _choose(found: list[dict[str, Any]], node: str, name: str | None) -> dict[str, Any]:
    """The newest that leaves the node, or the one with this name. Raises UserError."""
    fitting = [one for one in found if one["encrypted"] and name in (None, one["name"])]
    if not fitting:
        what = f"{node} has no encrypted backup" + (f" {name}" if name else "")
        raise UserError(what, "“hepto backup --list” shows which node has which")
    return max(fitting, key=lambda one: (one["made"], one["name"]))


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
