"""`hepto service`: starts, stops and restarts services of a node, and turns it off.

On the node by PID 1's control socket; from outside, with `hepto service NODE …` and `--anchor`, by its API.
"""

from pathlib import Path
from typing import Any

import click

from hepto.cli.group import Group
from hepto.cli.output import print_json, print_table
from hepto.cli.remote import Remote, remote_options
from hepto.cli.status import ask_agent, no_node, read_files
from hepto.edge import control, evidence, logs
from hepto.given import printable
from init.contract import paths
from init.contract.control import Request, Verb

service_argument = click.argument("service")
_NODE = "hepto.cli.service.node"


class _NodeFirst(Group):
    """A group whose first word may be a node's name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Remember the node, if there is one."""
        if len(args) > 1 and args[0] not in self.commands and args[1] in self.commands:
            ctx.meta[_NODE], *args = args
        return super().resolve_command(ctx, args)


def _node() -> str | None:
    found: str | None = click.get_current_context().meta.get(_NODE)
    return found


@click.group(cls=_NodeFirst, subcommand_metavar="[NODE] COMMAND [ARGS]...")
def command() -> None:
    """Start, stop and restart services of this node, or with --anchor of NODE; see how they died; power it off.

    \b
    Examples:
      hepto service list
      hepto service crashes
      hepto service restart kubelet
      hepto service node3 restart kubelet --anchor one.example.org --key @demo.key
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@remote_options
def list_(remote: Remote, as_json: bool) -> None:
    """List the services.

    \b
    Examples:
      hepto service list
      hepto service list --json | jq .etcd.pid
      hepto service node3 list --anchor one.example.org
    """
    services = _ask(remote, "list") if _is_outside(remote) else (ask_agent() or read_files())["services"]
    if as_json:
        print_json(services)
        return
    rows = [(name, found["state"], str(found["pid"] or "-"), str(found["starts"])) for name, found in services.items()]
    print_table(("SERVICE", "STATE", "PID", "STARTS"), rows)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@remote_options
@click.argument("service", required=False, default="")
def crashes(remote: Remote, as_json: bool, service: str) -> None:
    """Show how SERVICE, or any, has died: the cause, how long it was up, its memory and its last lines.

    Only what nobody had asked for is kept, the last 20 of a node, over reboots too.

    \b
    Examples:
      hepto service crashes
      hepto service crashes kubelet
      hepto service crashes --json | jq '.[-1].lines'
      hepto service node3 crashes kubelet --anchor one.example.org
    """
    found = _ask(remote, "crashes", service) if _is_outside(remote) else _crashes(service)
    if as_json:
        print_json(found)
        return
    for report in found:
        click.echo(f"{logs.time_of_day(report['wall'], exact=False)} {report['service']}: {report['cause']}")
        memory = report["memory_peak"]
        used = f", {memory / 2**20:.0f} MiB of memory at most" if memory is not None else ""
        click.echo(f"  death {report['number']} of its boot, it was up {report['up']:.1f} s{used}")
        for line in report["lines"]:
            click.echo(f"  | {printable(line)}")
    if not found:
        click.echo(f"there is no crash report{f' of {service}' if service else ''}")


@command.command()
@remote_options
@service_argument
def start(remote: Remote, service: str) -> None:
    """Start SERVICE again after it was stopped.

    \b
    Example:
      hepto service start kube-scheduler
    """
    _order(remote, Verb.START, service)


@command.command()
@remote_options
@service_argument
def stop(remote: Remote, service: str) -> None:
    """Stop SERVICE until it is started again or the node is.

    \b
    Example:
      hepto service stop kube-scheduler
    """
    _order(remote, Verb.STOP, service)


@command.command()
@remote_options
@service_argument
def restart(remote: Remote, service: str) -> None:
    """Restart SERVICE; no other is touched.

    \b
    Examples:
      hepto service restart kubelet
      hepto service node3 restart kubelet --anchor one.example.org
    """
    _order(remote, Verb.RESTART, service)


@command.command()
@remote_options
def poweroff(remote: Remote) -> None:
    """Stop everything in order, pods first, and turn the node off.

    \b
    Example:
      hepto service poweroff
    """
    _order(remote, Verb.POWEROFF)


@command.command()
@remote_options
def reboot(remote: Remote) -> None:
    """Stop everything in order, pods first, and boot the node again.

    \b
    Example:
      hepto service reboot
    """
    _order(remote, Verb.REBOOT)


def _order(remote: Remote, verb: Verb, service: str = "") -> None:
    if _is_outside(remote):
        _ask(remote, verb.value, service)
    else:
        control.ask(Request(verb, {"service": service} if service else {}))


def _crashes(service: str) -> list[dict[str, Any]]:
    if not Path(paths.BOOT).exists():
        raise no_node("hepto lab exec NODE -- hepto service crashes")
    return evidence.plain_crashes(service)


def _is_outside(remote: Remote) -> bool:
    node = _node()
    if node is not None and not remote.wanted:
        raise remote.refuse(node)
    return remote.wanted


def _ask(remote: Remote, action: str, service: str = "") -> Any:
    """Any: what JSON can say."""
    from hepto.api.operators import Verb as Order

    return remote.session().order(_node(), Order.SERVICE, action, service)
