"""`hepto info`: what a configuration means, before anything is started with it; ready values for network plugins."""

from dataclasses import replace
from typing import Any

import click

from hepto import sources
from hepto.address import AddressPlan
from hepto.cli import version
from hepto.cli.flags import environment_givens, option_flags
from hepto.cli.output import print_json, print_table
from hepto.config import Config, Resolution, resolve
from hepto.errors import ExitCode, UserError
from hepto.given import Given
from hepto.kube import plugins
from hepto.meaning import describe
from hepto.mesh.mtu import LEAST, OVERHEAD
from hepto.mesh.plan import USUAL_MTU, interface_mtu

READY = {"cni": ("calico", "cilium"), "proxy": ("kube-proxy",)}
"""What takes the place of the native network: words for an option's value that mean `none` and ask for its values."""


@click.command()
@click.option("--machine", is_flag=True, help="Read what this machine was booted with, as its agent does.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--encapsulation",
    type=click.Choice(["none", "vxlan"]),
    help="For a plugin's values: none routes pods through the mesh as it is, vxlan lets the plugin choose their "
    "addresses for 70 bytes a packet.  [default: none]",
)
@click.option(
    "--underlay-mtu",
    type=click.IntRange(LEAST, 65_535),
    metavar="BYTES",
    help=f"For a plugin's values: the MTU of the underlay, the smallest of all nodes.  [default: {USUAL_MTU}]",
)
@option_flags(without=["info"], more=READY)
def command(
    givens: list[Given], machine: bool, as_json: bool, encapsulation: str | None, underlay_mtu: int | None
) -> None:
    """Print what a configuration means: addresses, ports, and where each value comes from.

    Values are taken from flags and the environment; a key is not needed.

    With the name of a network plugin it prints the values that fit this cluster, in the form that the plugin's own
    tool reads: --cni cilium (Helm values), --cni calico (the Installation of its operator), --proxy kube-proxy
    (objects for kubectl). The name is then that of a master.

    \b
    Examples:
      hepto info --cluster demo --name one
      hepto info --cluster demo --json
      hepto info --machine
      hepto info --cluster demo --name one --cni cilium --proxy none
    """
    givens, asked = take(givens)
    given = [*givens, *(sources.read_machine() if machine else environment_givens())]
    resolution = resolve(given, key_elsewhere=not machine)
    config = resolution.require()
    if asked:
        _print_values(asked, config, encapsulation, underlay_mtu)
        _print_warnings(resolution)
        return
    if encapsulation or underlay_mtu:
        raise _not_for_this()
    meaning = describe(config, config.name, resolution.provenance)
    if as_json:
        print_json({**meaning, "warnings": list(resolution.warnings)})
    else:
        _print(meaning, resolution)


def take(givens: list[Given]) -> tuple[list[Given], list[str]]:
    """Configuration without the words of READY, which stand for `none`, and those of them that are in force."""
    asked = {}
    plain = []
    for given in givens:
        word = (given.value or b"").decode(errors="replace")
        found = word in READY.get(given.name, ())
        asked[given.name] = [word] if found else []  # the last one wins
        plain.append(replace(given, value=b"none") if found else given)
    return plain, [word for name in READY for word in asked.get(name, ())]


def _print_values(asked: list[str], config: Config, encapsulation: str | None, underlay_mtu: int | None) -> None:
    """JSON alone on standard output: it goes into another program."""
    if len(asked) > 1:
        raise UserError(f"values for {' and '.join(asked)} at once", "ask for one after the other", ExitCode.USAGE)
    (plugin,) = asked
    if config.name is None or not config.role.has_control_plane:
        raise UserError(
            f"the values for {plugin} hold a master's address, and no master is named",
            "add --name with the name of a master (and no --role node, no --anchor)",
            ExitCode.USAGE,
        )
    if plugin == "calico" and config.proxy == "none":
        raise UserError(
            "Calico without kube-proxy is its eBPF dataplane, for which hepto has no values",
            "leave out --proxy: Calico then works with nftables, beside kube-proxy",
            ExitCode.USAGE,
        )
    if plugin not in READY["cni"] and (encapsulation or underlay_mtu):
        raise _not_for_this()
    plan = AddressPlan(config.cluster)
    underlay = underlay_mtu or USUAL_MTU
    around = plugins.Surroundings(
        plan=plan,
        master=plan.node(config.name),
        mtu=interface_mtu(underlay),
        encapsulated=encapsulation == "vxlan",
        without_proxy=config.proxy == "none",
    )
    try:
        match plugin:
            case "cilium":
                print_json(plugins.cilium(around))
            case "calico":
                print_json(plugins.calico(around))
            case _:
                print_json(plugins.kube_proxy(around, version.kubernetes()))
    except plugins.TooSmall as error:
        least = LEAST + OVERHEAD + plugins.VXLAN_OVERHEAD
        raise UserError(
            f"in VXLAN on an underlay of {underlay} bytes pods have {error} bytes, and IPv6 needs {LEAST}",
            f"use --encapsulation none, or an underlay of at least {least}",
            ExitCode.USAGE,
        ) from error


def _not_for_this() -> UserError:
    what = "--encapsulation and --underlay-mtu are for a network plugin's values"
    return UserError(what, "add --cni cilium or --cni calico", ExitCode.USAGE)


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
    _print_warnings(resolution)


def _print_warnings(resolution: Resolution) -> None:
    for warning in resolution.warnings:
        click.echo(f"warning: {warning}", err=True)
