"""`hepto service`: starts, stops and restarts services of this node, and turns it off, by PID 1's control socket."""

import click

from hepto.cli.output import print_json, print_table
from hepto.cli.status import ask_agent, read_files
from hepto.edge import control
from init.contract.control import Request, Verb

service_argument = click.argument("service")


@click.group()
def command() -> None:
    """Start, stop and restart services of this node; power it off."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the services of this node.

    \b
    Examples:
      hepto service list
      hepto service list --json | jq .etcd.pid
    """
    services = (ask_agent() or read_files())["services"]
    if as_json:
        print_json(services)
        return
    rows = [(name, found["state"], str(found["pid"] or "-"), str(found["starts"])) for name, found in services.items()]
    print_table(("SERVICE", "STATE", "PID", "STARTS"), rows)


@command.command()
@service_argument
def start(service: str) -> None:
    """Start SERVICE again after it was stopped.

    \b
    Example:
      hepto service start kube-scheduler
    """
    control.ask(Request(Verb.START, {"service": service}))


@command.command()
@service_argument
def stop(service: str) -> None:
    """Stop SERVICE until it is started again or the node is.

    \b
    Example:
      hepto service stop kube-scheduler
    """
    control.ask(Request(Verb.STOP, {"service": service}))


@command.command()
@service_argument
def restart(service: str) -> None:
    """Restart SERVICE; no other is touched.

    \b
    Example:
      hepto service restart kubelet
    """
    control.ask(Request(Verb.RESTART, {"service": service}))


@command.command()
def poweroff() -> None:
    """Stop everything in order, pods first, and turn this node off.

    \b
    Example:
      hepto service poweroff
    """
    control.ask(Request(Verb.POWEROFF))


@command.command()
def reboot() -> None:
    """Stop everything in order, pods first, and boot this node again.

    \b
    Example:
      hepto service reboot
    """
    control.ask(Request(Verb.REBOOT))
