"""`hepto gossip run`: one member of a gossip cluster that is no node, to watch a cluster or to try gossip out.

Parses; the program is gossip_member.py.
"""

from typing import Any

import click


@click.command("run")
@click.option("--name", required=True, metavar="NAME", help="Name of the member; unique in the cluster.")
@click.option("--bind", required=True, metavar="[ADDRESS]:PORT", help="Where to listen, UDP and TCP.")
@click.option("--advertise", default="", metavar="[ADDRESS]:PORT", help="Where others reach it, if not there.")
@click.option("--anchor", "anchors", multiple=True, metavar="HOST[:PORT]", help="A member to contact. Repeatable.")
@click.option("--cluster", default="hepto", show_default=True, help="Name of the cluster.")
@click.option("--key", default="", metavar="@FILE|-", help="The cluster's keys; the first is the primary.")
@click.option("--insecure", is_flag=True, help="Run without a key.")
@click.option("--profile", type=click.Choice(("lan", "wan", "local")), default="lan", show_default=True, help="Timing.")
@click.option(
    "--gossip-compat",
    "compat",
    type=click.Choice(("none", "serf")),
    default="none",
    show_default=True,
    help="Speak to serf agents: without the cluster's name on the wire.",
)
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A tag of serf's. Repeatable.")
@click.option("--grant", default="", metavar="FILE", help="Send this in place of a grant.", hidden=True)
@click.option("--state", default="", metavar="FILE", help="Remember members here over a restart.")
@click.option("--socket", default="", metavar="PATH", help="Answer “hepto gossip --socket PATH” here.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def run(**given: Any) -> int:
    """Run one member that is no node: it sees who comes and goes, and is trusted by nobody for it.

    It prints a line for each change. SIGINT makes it leave, SIGTERM ends it at once, SIGHUP lets it read its keys anew.

    \b
    Examples:
      hepto gossip run --name watcher --bind [2001:db8::9]:7946 --anchor one.example.org --key @demo.key
      hepto gossip run --name watcher --bind [::1]:17000 --anchor [::1]:17001 --insecure --gossip-compat serf
    """
    from hepto.cli.gossip_member import Options, live  # imported here: help needs none of it

    return live(Options(**given))
