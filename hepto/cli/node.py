"""`hepto node`: who belongs to the cluster, and who is let in, replaced or put out. Asked of a master, by operators."""

from datetime import UTC, datetime
from typing import Any

import click

from hepto.cli.group import Group
from hepto.cli.output import print_json, print_table
from hepto.cli.remote import Remote, remote_options

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def command() -> None:
    """Show and change who belongs to the cluster, with an operator's SSH key.

    \b
    Examples:
      hepto node list --anchor one.example.org --key @demo.key
      hepto node admit 5f0c… --anchor one.example.org --key @demo.key
      hepto node revoke two --anchor one.example.org --key @demo.key
    """


@command.command("list")
@as_json_option
@remote_options
def list_(remote: Remote, as_json: bool) -> None:
    """List the nodes of the cluster, and those that wait to be admitted.

    \b
    Examples:
      hepto node list --anchor one.example.org --key @demo.key
      hepto node list --json | jq '.pending[].fingerprint'
    """
    found = _ask(remote, "nodes")
    if as_json:
        print_json(found)
        return
    nodes = [
        (node["name"], node["role"], node["address"], _day(node["since"]), _day(node["expires"]), node["fingerprint"])
        for node in found["nodes"]
    ]
    print_table(("NODE", "ROLE", "ADDRESS", "SINCE", "GRANT UNTIL", "FINGERPRINT"), nodes)
    if found["pending"]:
        click.echo()
        pending = [(node["name"], node["role"], _day(node["since"]), node["fingerprint"]) for node in found["pending"]]
        print_table(("WAITS TO BE ADMITTED", "ROLE", "SINCE", "FINGERPRINT"), pending)


@command.command()
@as_json_option
@remote_options
@click.argument("fingerprint")
def admit(remote: Remote, as_json: bool, fingerprint: str) -> None:
    """Let the node with FINGERPRINT in, which waits: compare it with what the node's console shows.

    \b
    Example:
      hepto node admit 5f0c… --anchor one.example.org
    """
    _done(_ask(remote, "admit", fingerprint), as_json, f"{fingerprint} is admitted")


@command.command()
@as_json_option
@remote_options
@click.argument("name")
def forget(remote: Remote, as_json: bool, name: str) -> None:
    """Forget NAME, for a node that does not come back: another may take the name.

    \b
    Example:
      hepto node forget node3 --anchor one.example.org
    """
    _done(_ask(remote, "forget", name), as_json, f"{name} is forgotten")


@command.command()
@as_json_option
@remote_options
@click.argument("name")
@click.argument("fingerprint")
def replace(remote: Remote, as_json: bool, name: str, fingerprint: str) -> None:
    """Give NAME to the node with FINGERPRINT, as its console shows it: a new machine in the place of an old one.

    \b
    Example:
      hepto node replace node3 5f0c… --anchor one.example.org
    """
    _done(_ask(remote, "replace", name, fingerprint), as_json, f"{name} is now {fingerprint}")


@command.command()
@as_json_option
@remote_options
@click.argument("name")
def revoke(remote: Remote, as_json: bool, name: str) -> None:
    """Put NAME out for good, for a node in the wrong hands: it never comes back, and the gossip key is changed.

    \b
    Example:
      hepto node revoke node3 --anchor one.example.org
    """
    _done(_ask(remote, "revoke", name), as_json, f"{name} is revoked, and the gossip key is changed")


def _ask(remote: Remote, verb: str, *arguments: str) -> Any:
    """Any: what JSON can say; hepto/api/operators.py has the fields."""
    from hepto.api.operators import Verb
    from hepto.api.relay import MASTER

    return remote.session().order(MASTER, Verb(verb), *arguments)


def _done(found: Any, as_json: bool, text: str) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(text)


def _day(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d")
