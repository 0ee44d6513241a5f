"""`hepto logs`: what services of this node wrote, read from the rings that PID 1's logger keeps."""

import time
from pathlib import Path
from typing import Any

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
@click.option("--since", default="", metavar="TIME", help="Only lines since then: 10m ago, a time of day, or “boot”.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line; of the list of services, one array.")
@remote_options
@click.argument("words", metavar="[NODE] [SERVICE]", nargs=-1)
def command(remote: Remote, words: tuple[str, ...], **wanted: Any) -> None:
    """Show what SERVICE wrote; without it, list the services that have a log. With --anchor, on NODE.

    TIME is a duration before now (90s, 10m, 2h), a time of day (2026-01-31T18:30, UTC if it does not say), or “boot”:
    since this boot began.

    \b
    Examples:
      hepto logs agent
      hepto logs kubelet -n 20 -f
      hepto logs etcd --since 10m
      hepto logs etcd --since 2026-01-31T18:30
      hepto logs kube-apiserver --since boot --json | jq .text
      hepto logs node3 kubelet --anchor one.example.org --key @demo.key
    """
    logs.since(wanted["since"])
    if remote.wanted:
        _from_outside(remote, words, **wanted)
        return
    if len(words) > 1:
        raise remote.refuse(words[0])
    names = logread.services()
    if not names and not Path(paths.BOOT).exists():
        raise no_node("hepto lab logs NODE SERVICE")
    if words:
        logs.check(words[0], names)
        _print(words[0], **wanted)
    elif wanted["as_json"]:
        print_json(list(names))
    else:
        for name in names:
            click.echo(name)


def _print(service: str, count: int | None, since: str, *, follow: bool, as_json: bool) -> None:
    write = logs.as_object if as_json else logs.as_text
    lines, following = logs.begin(service, count, logs.since(since), follow=follow)
    for line in lines:
        click.echo(write(line))
    while following is not None:
        found = following.take()
        for line in found:
            click.echo(write(line))
        if not found:
            time.sleep(POLL_SECONDS)


def _from_outside(
    remote: Remote, words: tuple[str, ...], *, count: int | None, since: str, follow: bool, as_json: bool
) -> None:
    if not 1 <= len(words) <= 2:
        what = "from outside it takes the node and the service"
        raise UserError(what, "hepto logs NODE SERVICE --anchor HOST", ExitCode.USAGE)
    from hepto.api.operators import Verb

    node, service = words[0], words[1] if len(words) > 1 else ""
    lines = "" if count is None else str(count)
    remote.session().stream(node, Verb.LOGS, service, lines, since, "1" if follow else "", "1" if as_json else "")
