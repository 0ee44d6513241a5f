"""`hepto start`: runs a node as a container on this host. Parses, calls hepto.host, prints."""

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepto.cli.flags import environment_givens, option_flags
from hepto.config import Config, resolve
from hepto.errors import ExitCode, UserError
from hepto.given import Given
from init.contract import paths

if TYPE_CHECKING:
    from hepto.host.plan import Plan
    from hepto.host.starter import Keeper

LIMIT = 120.0
POLL = 1.0
NOT_HERE = ("data-disk", "info")
"""Options of a machine that is booted, or of other commands."""


@click.command("start")
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    default=Path("build/image"),
    show_default=True,
    help="The node's root: root.erofs of an image, or the directory that `hepto build` has filled.",
)
@click.option("--detach", is_flag=True, help="Return when the node runs and has an address; “hepto stop” ends it.")
@click.option(
    "--limit",
    type=float,
    default=LIMIT,
    show_default=True,
    metavar="SECONDS",
    help="With --detach: how long to wait for the node's address before saying that there is none.",
)
@click.option("--systemd-unit", "as_unit", is_flag=True, help="Print a unit of systemd that does the same.")
@option_flags(without=NOT_HERE)
def command(givens: list[Given], image: Path, detach: bool, limit: float, as_unit: bool) -> None:
    """Run a node in a container on this host, with a network stack and an address of its own, until it is ended.

    It takes the same options as a node that is booted; flags outrank the environment (HEPTO_NAME), and nothing else
    is read. Ctrl-C ends it in order. Several nodes, also of several clusters, may run on one host.

    A node cannot be reached from its own host by its own address. So a master's apiserver is offered on [::1], and the
    kubeconfig whose path is printed leads there.

    \b
    Examples:
      hepto start -name n1 -role full -iface eth0 -key @demo.key
      hepto start -name n2 -anchor one.example.org -key @demo.key --detach
      hepto start -name n1 -iface eth0 -key @/etc/hepto/demo.key --systemd-unit
    """
    given = [*givens, *environment_givens()]
    resolution = resolve(given)
    config = resolution.require()
    if as_unit:
        from hepto.host import unit

        click.echo(unit.text(name_of(config), _program(), sys.argv[2:], Path.cwd()), nl=False)
        return
    plan = _plan(config, given, image, detach=detach)
    for warning in resolution.warnings:
        click.echo(f"warning: {warning}", err=True)
    from hepto.host.starter import Keeper

    keeper = Keeper(plan)
    if detach:
        _detached(keeper, plan, limit)
    else:
        _attached(keeper, plan)


def name_of(config: Config) -> str:
    """As the node itself would make it, if its machine were this host."""
    from hepto import naming
    from hepto.node import identity

    return naming.node_name(config, identity.machine_uuid(), identity.hardware_address(), identity.known_nodes(config))


def _program() -> tuple[str, ...]:
    """This command, as a unit has to name it: the script of an installed wheel, or Python with our package."""
    script = Path(sys.argv[0]).absolute()
    return (str(script),) if script.name == "hepto" else (sys.executable, "-I", "-m", "hepto")


def _plan(config: Config, givens: list[Given], image: Path, *, detach: bool) -> "Plan":
    """Look at the host, then make the plan. Raises UserError for what is in the way."""
    from hepto.host import checks, links, plan, probe, starter

    checks.require(probe.look())
    name = name_of(config)  # which only root may read of the machine
    root = starter.image(image)
    iface = config.iface or links.default(Path("/proc/net/ipv6_route").read_text())
    if iface is None:
        raise UserError("no interface of this host leads to an IPv6 router", links.CHOOSE, ExitCode.USAGE)
    links.check(iface)
    starter.free(name)
    data = Path(config.data) / config.cluster / name
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return plan.Plan(
        name=name,
        cluster=config.cluster,
        role=config.role.value,
        iface=iface,
        image=str(root),
        data=str(data.resolve()),
        kubernetes="no-kube" not in config.debug,
        detach=detach,
        credentials=plan.credentials(givens, name),
    )


def _attached(keeper: "Keeper", plan: "Plan") -> None:
    """Show the console until the node has ended."""

    def end(_number: int, _frame: object) -> None:
        keeper.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    ended = ""
    for event in keeper.events():
        if "console" in event:
            click.echo(event["console"])
        elif "up" in event:
            _tell(plan, event)
        elif event.get("rebooting"):
            click.echo(f"node {plan.name} boots again")
        ended = event.get("ended", ended)
    if ended not in ("poweroff", "reboot"):
        raise UserError(f"node {plan.name} has ended: {ended}", "the lines above and dmesg may tell why")


def _detached(keeper: "Keeper", plan: "Plan", limit: float) -> None:
    from hepto.host import starter

    for event in keeper.events():
        if "up" in event:
            _tell(plan, event)
            break
    keeper.leave()
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := addresses(agent_of(int(event["up"]))):
            click.echo(f"node {plan.name} has the address {found[0]}")
            return
        starter.wait(POLL)
    raise UserError(
        f"node {plan.name} has no address: no router has advertised a prefix on {plan.iface} within {limit:g} s",
        f"it goes on waiting; look for the router, or “hepto stop {plan.name}” and give --ip and --gw",
        ExitCode.UNREACHABLE,
    )


def agent_of(pid: int) -> dict[str, Any] | None:
    """What the agent of the node with that PID 1 says, as `hepto status` has it; None while it does not answer."""
    from hepto.cli.status import ask_agent

    return ask_agent(f"/proc/{pid}/root{paths.AGENT_SOCKET}") if pid else None


def addresses(status: dict[str, Any] | None) -> list[str]:
    """Of a node on the underlay."""
    network = (status or {}).get("network") or {}
    return [str(address) for address in network.get("addresses", ())]


def _tell(plan: "Plan", event: dict[str, Any]) -> None:
    from hepto.host import place

    where = place.Place(place.RUN / plan.name)
    click.echo(
        f"node {plan.name} of cluster {plan.cluster} runs: pid {event['up']}, {event['attachment']} on {plan.iface}"
    )
    click.echo(f"console: {where.log}")
    if event["port"]:
        click.echo(f"apiserver, from this host only: https://[::1]:{event['port']}, kubeconfig: {where.kubeconfig}")
