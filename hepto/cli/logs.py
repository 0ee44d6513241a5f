"""`hepto logs`: what services of this node wrote, read from the rings that PID 1's logger keeps."""

import sys
import time
from pathlib import Path

import click

from hepto.cli.output import print_json
from hepto.cli.remote import Remote, remote_options
from hepto.cli.status import no_node
from hepto.edge import logs
from hepto.errors import ExitCode, UserError
from init import logread
from init.contract import paths

POLL_SECONDS = 0.2


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on printing what comes.")
@click.option("-n", "--lines", "count", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line; of the list of services, one array.")
@remote_options
@click.argument("words", metavar="[NODE] [SERVICE]", nargs=-1)
def command(remote: Remote, follow: bool, count: int | None, as_json: bool, words: tuple[str, ...]) -> None:
    """Show what SERVICE wrote; without it, list the services that have a log. With --anchor, on NODE.

    \b
    Examples:
      hepto logs agent
      hepto logs -f -n 20 kube-apiserver
      hepto logs node3 kubelet --anchor one.example.org --key @demo.key
    """
    if follow and as_json:
        raise no_json_to_follow()
    if remote.wanted:
        _from_outside(remote, words, follow, count, as_json)
        return
    if len(words) > 1:
        raise remote.refuse(words[0])
    service = words[0] if words else None
    names = logread.services()
    if not names and not Path(paths.BOOT).exists():
        raise no_node("hepto lab logs NODE SERVICE")
    if service is None:
        if as_json:
            print_json(list(names))
        for name in () if as_json else names:
            click.echo(name)
        return
    logs.check(service, names)
    lines, reader = logs.begin(service, count, follow=follow)
    for line in lines:
        click.echo(logs.as_object(line) if as_json else logs.as_text(line))
    if reader is not None:
        _follow(reader)


def no_json_to_follow() -> UserError:
    """For --json with --follow: what comes is passed on as it is written, and its lines have no time yet."""
    return UserError("what is still to come is text only", "leave out --json or --follow", ExitCode.USAGE)


def _from_outside(remote: Remote, words: tuple[str, ...], follow: bool, count: int | None, as_json: bool) -> None:
    if not 1 <= len(words) <= 2:
        what = "from outside it takes the node and the service"
        raise UserError(what, "hepto logs NODE SERVICE --anchor HOST", ExitCode.USAGE)
    from hepto.api.operators import Verb

    node, service = words[0], words[1] if len(words) > 1 else ""
    lines = "" if count is None else str(count)
    remote.session().stream(node, Verb.LOGS, service, lines, "1" if follow else "", "1" if as_json else "")


def _follow(reader: logread.Reader) -> None:
    while True:
        data = reader.read()
        if data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            time.sleep(POLL_SECONDS)
