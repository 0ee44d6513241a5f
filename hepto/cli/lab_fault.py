"""`hepto lab fault` and `hepto lab power`: what goes wrong with real networks and machines.

Parses, calls hepto.lab; decides nothing.
"""

import click

from hepto.cli.group import Group

lab_option = click.option("--name", "lab", default="default", show_default=True, metavar="LAB", help="Name of the lab.")
bridge_option = click.option("--link", "bridge", default="lab0", show_default=True, help="The link: lab0 or lab1.")


@click.group("fault", cls=Group)
def fault() -> None:
    """Break something in a lab's network, and put it right again. `hepto lab power` cuts the power.

    \b
    Examples:
      hepto lab fault link two down
      hepto lab fault prefix 2001:db8:7::/64
    """


@fault.command()
@lab_option
@click.argument("node")
@click.argument("state", type=click.Choice(["up", "down"]))
def link(lab: str, node: str, state: str) -> None:
    """Pull NODE's network cable, or plug it in again.

    \b
    Examples:
      hepto lab fault link two down
      hepto lab fault link two up
    """
    _inject(lab, "link", node=node, up=state == "up")


@fault.command()
@lab_option
@bridge_option
@click.argument("prefix")
def prefix(lab: str, bridge: str, prefix: str) -> None:
    """Renumber a link: the router withdraws its prefix and advertises PREFIX instead.

    \b
    Examples:
      hepto lab fault prefix 2001:db8:7::/64
    """
    _inject(lab, "prefix", bridge=bridge, prefix=prefix)


@fault.command()
@lab_option
@click.option("--link", "bridge", default="lab1", show_default=True, help="Where to: lab0 or lab1.")
@click.argument("node")
def move(lab: str, bridge: str, node: str) -> None:
    """Move NODE to another link, behind the same router but with another prefix.

    \b
    Examples:
      hepto lab fault move two
      hepto lab fault move two --link lab0
    """
    _inject(lab, "move", node=node, bridge=bridge)


@fault.command()
@lab_option
@click.argument("node")
def replace(lab: str, node: str) -> None:
    """Put another machine in NODE's place: the same name, a blank disk, another UUID and MAC address.

    \b
    Examples:
      hepto lab fault replace two
    """
    _inject(lab, "replace", node=node)


def _inject(lab: str, kind: str, **fields: object) -> None:
    from hepto.lab import client, state

    with client.LabClient(state.place(lab)) as connection:
        connection.fault(kind, **fields)


@click.command()
@lab_option
@click.argument("node")
@click.argument("action", type=click.Choice(["on", "off", "reset", "button"]))
def power(lab: str, node: str, action: str) -> None:
    """Switch NODE on or off, reset it, or press its power button.

    \b
    Examples:
      hepto lab power one button
      hepto lab power one on
    """
    from hepto.lab import client, state

    with client.LabClient(state.place(lab)) as connection:
        connection.power(node, action)
