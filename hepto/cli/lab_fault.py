"""`hepto lab fault` and `hepto lab power`: what goes wrong with real networks and machines.

Parses, calls hepto.lab; decides nothing.
"""

import click

from hepto.cli.group import Group

lab_option = click.option("--name", "lab", default="default", show_default=True, metavar="LAB", help="Name of the lab.")
bridge_option = click.option("--link", "bridge", default="lab0", show_default=True, help="The link: lab0 or lab1.")


@click.group("fault", cls=Group)
def fault() -> None:
    """Break something in a lab's network or machines, and put it right again. `hepto lab power` cuts the power.

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


@fault.command()
@lab_option
@click.option("--silent", is_flag=True, help="Do not tell the sender (no Packet Too Big).")
@click.argument("size", type=int)
def mtu(lab: str, silent: bool, size: int) -> None:
    """Let the router carry no packet of more than SIZE bytes from link to link; 1500 is the usual.

    \b
    Examples:
      hepto lab fault mtu 1400
      hepto lab fault mtu 1400 --silent
    """
    _inject(lab, "mtu", mtu=size, silent=silent)


@fault.command()
@lab_option
@click.argument("node")
@click.argument("other")
@click.argument("percent", type=click.IntRange(0, 100))
def loss(lab: str, node: str, other: str, percent: int) -> None:
    """Lose so many of the frames from NODE to OTHER while both are on one link, and none of those from OTHER to NODE.

    \b
    Examples:
      hepto lab fault loss one two 30
      hepto lab fault loss one two 0
    """
    _inject(lab, "loss", node=node, to=other, percent=percent)


@fault.command()
@lab_option
@click.argument("node")
@click.argument("time")
def clock(lab: str, node: str, time: str) -> None:
    """Set the hardware clock of NODE to TIME (UTC, before 2106), or `now`, from the next time that it is switched on.

    \b
    Examples:
      hepto lab fault clock two 1970-01-01
      hepto lab fault clock two now
    """
    _inject(lab, "clock", node=node, time=time)


@fault.command()
@lab_option
@click.argument("node")
@click.argument("state", type=click.Choice(["full", "broken", "ok"]))
def disk(lab: str, node: str, state: str) -> None:
    """Fill the data disk of NODE, let it neither read nor write, or make it as before.

    \b
    Examples:
      hepto lab fault disk two full
      hepto lab fault disk two ok
    """
    from hepto.lab import client
    from hepto.lab import state as places
    from hepto.lab.disk import change

    with client.LabClient(places.place(lab)) as connection:
        change(connection, node, state)


@fault.command()
@lab_option
@click.argument("state", type=click.Choice(["on", "off"]))
def nat64(lab: str, state: str) -> None:
    """Let the router advertise a translator to IPv4 (PREF64) on all links, or that it is gone.

    \b
    Examples:
      hepto lab fault nat64 on
    """
    _inject(lab, "nat64", on=state == "on")


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
