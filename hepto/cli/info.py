"""`hepto info`: what a configuration means, before anything is started with it."""

from typing import Any

import click

from hepto import sources
from hepto.cli.flags import environment_givens, option_flags
from hepto.cli.output import print_json, print_table
from hepto.config import Resolution, resolve
from hepto.given import Given
from hepto.meaning import describe


@click.command()
@click.option("--machine", is_flag=True, help="Read what this machine was booted with, as its agent does.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option_flags(without=["info"])
def command(givens: list[Given], machine: bool, as_json: bool) -> None:
    """Print what a configuration means: addresses, ports, and where each value comes from.

    Values are taken from flags and the environment; a key is not needed.

    \b
    Examples:
      hepto info --cluster demo --name one
      hepto info --cluster demo --json
      hepto info --machine
    """
    given = [*givens, *(sources.read_machine() if machine else environment_givens())]
    resolution = resolve(given, key_elsewhere=not machine)
    config = resolution.require()
    meaning = describe(config, config.name, resolution.provenance)
    if as_json:
        print_json({**meaning, "warnings": list(resolution.warnings)})
    else:
        _print(meaning, resolution)


def _print(meaning: dict[str, Any], resolution: Resolution) -> None:
    cluster, node = meaning["cluster"], meaning["node"]
    addresses = [(f"cluster {cluster['name']}", cluster["prefix"])]
    addresses += [(f"  {key}", cluster[key]) for key in ("nodes", "pods", "services", "kubernetes", "dns")]
    if node:
        addresses += [(f"node {node['name']}", node["address"]), ("  pods", node["pods"]), ("  data", node["data"])]
    else:
        addresses += [("node", "its name is made on the machine")]
    print_table(("", ""), addresses)
    click.echo()
    print_table(("PORT", "OPEN ON THE UNDERLAY FOR"), [(port["port"], port["purpose"]) for port in meaning["ports"]])
    click.echo()
    in_force = [(name, row["value"] or "-", row["source"]) for name, row in meaning["options"].items()]
    print_table(("OPTION", "VALUE", "FROM"), in_force)
    for warning in resolution.warnings:
        click.echo(f"warning: {warning}", err=True)
