"""`hepto lab`: a cluster of virtual machines on this machine. Parses, calls hepto.lab, prints; decides nothing."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from hepto.cli.group import Group
from hepto.cli.lab_fault import fault, lab_option, power
from hepto.cli.lab_up import up
from hepto.cli.output import print_json, print_table
from hepto.errors import UserError

node_option = click.option("--node", metavar="NODE", help="Node to use; the first of the lab if not given.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
DOWN = {
    "running": "lab {} has ended",
    "dead": "lab {} was dead; its files are removed",
    "absent": "there is no lab {}",
}
PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group("lab", cls=Group)
def command() -> None:
    """Run a cluster of virtual machines on a private IPv6 network of this machine.

    \b
    Examples:
      hepto lab up
      hepto lab kubectl -- get pods -A -o wide
      hepto lab exec one -- hepto status
      hepto lab down
    """


command.add_command(up)
command.add_command(fault)
command.add_command(power)


@command.command()
@lab_option
@click.option("--graceful", is_flag=True, help="Press the power buttons first and wait for the nodes.")
@json_option
def down(lab: str, graceful: bool, as_json: bool) -> None:
    """End a lab; nothing of it is left.

    \b
    Examples:
      hepto lab down
      hepto lab down --graceful
    """
    from hepto.lab import client, state

    where = state.place(lab)
    swept = state.sweep()
    was = "running" if state.alive(where) else "dead" if lab in swept else "absent"
    if was == "running":
        with client.LabClient(where) as connection:
            connection.down(graceful)
    if as_json:
        print_json({"name": lab, "was": was})
    else:
        click.echo(DOWN[was].format(lab))


@command.command()
@lab_option
@json_option
def status(lab: str, as_json: bool) -> None:
    """Show the lab's machines, and what each node says of itself: services and phases that are not up, since when.

    \b
    Examples:
      hepto lab status
      hepto lab status --json | jq .nodes
    """
    from hepto.cli.status import age
    from hepto.lab import boot, client, state

    with client.LabClient(state.place(lab)) as connection:
        snapshot = connection.snapshot()
        for node in snapshot["nodes"]:
            node.update(asdict(boot.report(connection, node)))
    if as_json:
        print_json(snapshot)
        return
    emulator = snapshot["emulator"]
    click.echo(
        f"lab {snapshot['name']}, cluster {snapshot['cluster']}: QEMU {emulator['version']} ({emulator['accelerator']})"
    )
    for node in snapshot["nodes"]:
        power = "on" if node["on"] else f"off ({node['reason']})"
        if not node["link_up"]:
            power += ", link down"
        click.echo(f"{node['name']:12} {power}, {node['memory']} MiB, {node['cpus']} CPUs, {node['address']}")
        click.echo(f"{'':12} {node['says']}")
        for found in node["not_up"]:
            why = f": {found['why']}" if found["why"] else ""
            click.echo(f"{'':12}   {found['kind']} {found['name']} {found['state']}, {age(found['seconds'], 0)}{why}")


@command.command("exec", context_settings=PASS_ON)
@lab_option
@click.option("-i", "--stdin", "with_input", is_flag=True, help="Pass standard input on (at most 512 KiB).")
@click.option(
    "--timeout", type=float, default=300.0, show_default=True, metavar="SECONDS", help="How long it may take."
)
@click.argument("node")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(lab: str, with_input: bool, timeout: float, node: str, argv: tuple[str, ...]) -> int:
    """Run a command on NODE; its output and exit code are ours.

    NODE may also be `router` or `outside`: the command of this machine then runs in the network of the lab's router,
    or of the host behind it.

    \b
    Examples:
      hepto lab exec one -- hepto status
      hepto lab exec router -- ping -c 1 one.lab.internal
    """
    argv = argv[1:] if argv[0] == "--" else argv
    return _run(lab, node, argv, _input() if with_input else b"", timeout)


@command.command(context_settings=PASS_ON)
@lab_option
@node_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(lab: str, node: str | None, arguments: tuple[str, ...]) -> int:
    """Run kubectl on a node, with the administrator's rights.

    Standard input is passed on when an argument is a lone `-`.

    \b
    Examples:
      hepto lab kubectl -- get pods -A -o wide
      hepto lab kubectl -- apply -f - < manifest.yaml
    """
    from hepto.lab import boot, client, state

    with client.LabClient(state.place(lab)) as connection:
        snapshot = connection.snapshot()
    name = node or snapshot["nodes"][0]["name"]
    argv = boot.kubectl_argv(snapshot["cluster"], name, arguments)
    return _run(lab, name, argv, _input() if "-" in arguments else b"", 600)


@command.command()
@lab_option
@click.option("-f", "--follow", is_flag=True, help="Go on printing what comes.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--since", metavar="TIME", help="Only lines since then: 10m ago, a time of day, or “boot”.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.argument("node")
@click.argument("service")
def logs(lab: str, follow: bool, lines: int | None, since: str | None, as_json: bool, node: str, service: str) -> int:
    """Print what a SERVICE of NODE has logged, as `hepto logs` does there; without times if all of it is wanted.

    \b
    Examples:
      hepto lab logs one kubelet
      hepto lab logs one agent -f
      hepto lab logs one etcd --since 10m
      hepto lab logs one kubelet --json | jq .text
    """
    from hepto.lab import boot, client, state

    request: dict[str, object] = {"verb": "logs", "service": service, "follow": follow}
    if as_json or lines is not None or since is not None:  # of these the lab's channel knows nothing
        words = [*(["-f"] if follow else []), *([] if lines is None else ["-n", str(lines)])]
        words += [*([] if since is None else ["--since", since]), *(["--json"] if as_json else []), service]
        request = {"verb": "exec", "argv": [boot.PROGRAM, "logs", *words], "stdin": None, "timeout": None}
    with client.LabClient(state.place(lab)) as connection:
        number = connection.send("guest", node=node, request=request)
        return connection.copy(number, sys.stdout.buffer, sys.stderr.buffer)


@command.command()
@lab_option
@click.argument("node", required=False)
def console(lab: str, node: str | None) -> None:
    """Connect to a node's serial console; Ctrl-] leaves it.

    If standard output or input is not a terminal, the console's log so far is printed instead.

    \b
    Examples:
      hepto lab console
      hepto lab console one > console.txt
    """
    from hepto.lab import client, state, terminal

    with client.LabClient(state.place(lab)) as connection:
        name = node or connection.snapshot()["nodes"][0]["name"]
        log = Path(connection.node_state(name)["console"])
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            sys.stdout.buffer.write(log.read_bytes())
            return
        click.echo(f"console of {name}; Ctrl-] leaves", err=True)
        terminal.interact(connection, name, sys.stdin.fileno(), sys.stdout.buffer)


@command.command()
@lab_option
def demo(lab: str) -> None:
    """Start two pods behind a Service, or one on each node, and let them reach each other through it by its name.

    \b
    Examples:
      hepto lab demo
      hepto lab kubectl -- delete deployment,daemonset,service hello
    """
    from hepto.cli.progress import Progress
    from hepto.lab import client, state
    from hepto.lab import demo as pods

    with client.LabClient(state.place(lab)) as connection:
        if len(connection.snapshot()["nodes"]) == 1:
            click.echo(pods.describe(pods.show(connection, Progress())))
            return
        found = pods.show_all(connection, Progress())
    print_table(*pods.table(found))
    if not pods.complete(found):
        raise UserError("not every pod reached every other", "hepto status  on the nodes may say why")


def _run(lab: str, node: str, argv: tuple[str, ...], stdin: bytes, timeout: float) -> int:
    from hepto.lab import client, state

    with client.LabClient(state.place(lab)) as connection:
        try:
            return connection.stream(
                node, argv, stdin, stdout=sys.stdout.buffer, stderr=sys.stderr.buffer, timeout=timeout
            )
        except TimeoutError:
            raise UserError(
                f"{argv[0]} on {node} was not done within {timeout:.0f} s", "allow more by --timeout SECONDS"
            ) from None


def _input() -> bytes:
    from hepto.lab import channel

    return sys.stdin.buffer.read(channel.MAX_STDIN + 1)
