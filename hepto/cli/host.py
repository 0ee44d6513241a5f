"""`hepto stop` and `hepto list`: the nodes that run on this host."""

import os
from dataclasses import asdict
from typing import Any

import click

from hepto.cli.host_start import addresses, agent_of
from hepto.cli.output import print_json, print_table
from hepto.errors import ExitCode, UserError


def _as_root() -> None:
    if os.geteuid() != 0:
        raise UserError("only root may look at the nodes of this host", "run it with sudo", ExitCode.REFUSED)


@click.command("stop")
@click.argument("name")
def stop(name: str) -> None:
    """End a node of this host in order, and wait until nothing of it is left.

    \b
    Examples:
      hepto stop n1
    """
    from hepto.host import starter

    _as_root()
    starter.stop(name)
    click.echo(f"node {name} has ended")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_nodes(as_json: bool) -> None:
    """List the nodes that run on this host, and take away what dead ones have left.

    \b
    Examples:
      hepto list
      hepto list --json
    """
    from hepto.host import place

    _as_root()
    found: list[dict[str, Any]] = []
    for record in place.living(place.RUN):
        status = agent_of(record.pid)
        ready, line = bool(status and status["ready"]), status["line"] if status else "the agent does not answer"
        found.append({**asdict(record), "addresses": addresses(status), "ready": ready, "line": line})
    if as_json:
        print_json(found)
        return
    rows = [
        (
            node["name"],
            node["cluster"],
            node["role"],
            "\n".join(node["addresses"][:1]) or "-",
            f"[::1]:{node['port']}" if node["port"] else "-",
            node["line"],
        )
        for node in found
    ]
    print_table(("NAME", "CLUSTER", "ROLE", "ADDRESS", "APISERVER", "STATE"), rows)
