"""`hepto boot-chart`: how a boot went, as a picture, as text or for machines. Parses, calls hepto.chart, prints."""

import sys
from pathlib import Path
from typing import Any

import click

from hepto.cli.output import as_json as json_of
from hepto.cli.remote import Remote, remote_options
from hepto.cli.status import ask_agent, read_files
from hepto.errors import ExitCode, UserError


@click.command()
@click.option("--text", "as_text", is_flag=True, help="As text of 80 columns; what a terminal gets anyway.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to this file."
)
@click.option("--before", is_flag=True, help="The boot before this one; on the node itself only.")
@remote_options
@click.argument("node", required=False)
def command(remote: Remote, as_text: bool, as_json: bool, output: Path | None, before: bool, node: str | None) -> None:
    """Draw how this node's boot went, until it was ready: phases, the agent's steps, waits and services, as SVG.

    With --anchor, that of the member or of NODE.

    \b
    Examples:
      hepto boot-chart -o boot.svg
      hepto boot-chart --text
      hepto boot-chart --before --text
      hepto boot-chart --json | jq .ready
      hepto boot-chart node3 --anchor one.example.org --key @demo.key -o node3.svg
    """
    if as_text and as_json:
        raise UserError("--text and --json are two forms of one chart", "leave one of them out", ExitCode.USAGE)
    from hepto.chart import boot, picture, text

    said = _said(remote, node, before)
    try:
        chart = boot.chart(*said)
    except ValueError as error:
        raise UserError(str(error), "is it of the same version of hepto?") from None
    if not chart.rows:
        raise UserError("nothing is known of that boot yet", "try again in a moment")
    if as_json:
        data = json_of(chart.plain()) + "\n"
    elif as_text or (output is None and sys.stdout.isatty()):
        data = "".join(f"{line}\n" for line in text.draw(chart))
    else:
        data = picture.draw(chart)
    _write(data, output)


def _said(remote: Remote, node: str | None, before: bool) -> tuple[dict[str, Any], float, str]:
    """What was said of the boot, when, and of which node. Any: what JSON can say."""
    if remote.wanted and before:
        what = "--before is read from the node's own disk"
        raise UserError(what, "run it on the node, without --anchor", ExitCode.USAGE)
    if remote.wanted:
        from hepto.api.operators import Verb

        found = remote.session().order(node, Verb.STATUS)
    elif node is not None:
        raise remote.refuse(node)
    else:
        found = ask_agent() or read_files()
    if not before:
        return found, found["now"], found["node"] or ""
    from hepto.edge import evidence

    record = evidence.record_before()
    if record is None:
        raise UserError("there is no record of a boot before", "the first one is kept when the node is named")
    return record.said, record.written, found["node"] or ""


def _write(data: str, output: Path | None) -> None:
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        output.write_text(data)
    except OSError as error:
        raise UserError(f"{output}: {error.strerror}", "name another file with -o") from None
