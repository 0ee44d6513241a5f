"""`hepto status`: what is up on this node, and for what is not: the one thing it waits for.

It asks the agent; when the agent is away it reads what PID 1 has written, which is there as long as PID 1 is.
"""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hepto.cli.output import print_json, print_table
from hepto.cli.remote import Remote, remote_options
from hepto.errors import ExitCode, UserError
from init.contract import paths

if TYPE_CHECKING:
    from init.contract.status import BootStatus

ANSWER_SECONDS = 5.0
MOST_BYTES = 16 << 20
MOST_REASONS = 4
"""For which others were refused are named in the table; --json has all."""
CLOCKS = {
    "floor": "floor: later than the image's build and the last saved time, more is not known",
    "plausible": "plausible: the machine's own, nobody else has told the time yet",
    "peers": "peers: as the cluster has it, NTP has not answered",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@remote_options
@click.argument("node", required=False)
def command(remote: Remote, as_json: bool, node: str | None) -> None:
    """Show what is up on this node, and what the rest waits for; with --anchor, on that member or on NODE.

    \b
    Examples:
      hepto status
      hepto status --json | jq .waits
      hepto status --anchor one.example.org --key @demo.key
    """
    if remote.wanted:
        from hepto.api.operators import Verb

        found = remote.session().order(node, Verb.STATUS)
    elif node is not None:
        raise remote.refuse(node)
    else:
        found = ask_agent() or read_files()
    if as_json:
        print_json(found)
    else:
        _print(found)


def ask_agent(path: str = paths.AGENT_SOCKET) -> dict[str, Any] | None:
    """The agent's answer, None when it does not answer."""
    data = bytearray()
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_SECONDS)
        line.connect(path)
        while len(data) < MOST_BYTES and (part := line.recv(1 << 16)):
            data += part
        found: dict[str, Any] = json.loads(data)
        return found
    return None


def read_files(
    boot_path: str = paths.BOOT,
    directory: str = paths.STATUS,
    before_path: str = paths.BOOT_BEFORE,
    course_path: str = paths.COURSE,
) -> dict[str, Any]:
    """What PID 1 has written. Raises UserError where there is no PID 1 of ours."""
    # Imported here: on a node whose agent answers, the command takes half the time without (and starts in every boot).
    from hepto.edge import evidence, files
    from hepto.edge.pump import now as clock
    from hepto.node.facts import Facts
    from hepto.node.status import answer, status
    from init.contract.service import valid_name
    from init.contract.status import ServiceStatus, load_service

    boot = _boot(files.read(boot_path))
    if boot is None:
        raise no_node("hepto lab status")
    services: dict[str, ServiceStatus] = {}
    for entry in files.names(directory):
        name = entry.removesuffix(".json")
        with contextlib.suppress(ValueError):
            if valid_name(name):
                services[name] = load_service(_json(f"{directory}/{entry}"))
    now = clock()
    facts = Facts(started=boot.phases[0].since if boot.phases else now, boot=boot, services=services)
    before, course = evidence.boot_before(before_path), _json(course_path)
    found = answer(status(facts, now=now), now, boot_before=before, course=course)
    line = "the agent does not answer (hepto logs agent)"
    return {**found, "ready": False, "line": line, "agent": False}


def no_node(elsewhere: str) -> UserError:
    """For a command that was run elsewhere; `elsewhere` is what asks the nodes of a lab."""
    return UserError(
        "this machine is not a node of hepto (or its PID 1 has not begun)",
        f"run it on a node, or “{elsewhere}” for the nodes of a lab",
        ExitCode.UNREACHABLE,
    )


def _json(path: str) -> Any:
    """Any: what JSON can say; None if the file is not there or says nothing."""
    from hepto.edge import files

    with contextlib.suppress(OSError, ValueError):
        return json.loads(files.read(path) or b"null")
    return None


def _boot(data: bytes | None) -> "BootStatus | None":
    from init.contract.status import load_boot

    with contextlib.suppress(ValueError):
        return load_boot(json.loads(data)) if data is not None else None
    return None


def _print(found: dict[str, Any]) -> None:
    now = found["now"]
    click.echo(found["line"])
    for wait in found["waits"][1:]:
        subject = f" {wait['subject']}" if wait["subject"] else ""
        text = ". ".join(filter(None, (wait["what"], wait["hint"])))
        what = f": {text}" if text else ""
        click.echo(f"  also waiting for {wait['reason']}{subject}, {age(now, wait['since'])}{what}")
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}")
    for line in _trouble(found):
        click.echo(line)
    click.echo()
    print_table(("", ""), list(_facts(found)))
    click.echo()
    rows = []
    for name, service in found["services"].items():
        pid = str(service["pid"] or "-")
        rows.append((name, service["state"], pid, age(now, service["since"]), str(service["starts"]), _why(service)))
    print_table(("SERVICE", "STATE", "PID", "SINCE", "STARTS", "WHY"), rows)
    given = [
        (name, option["value"], option["source"])
        for name, option in found["configuration"].items()
        if option["source"] != "the default"
    ]
    if given:
        click.echo()
        print_table(("OPTION", "VALUE", "FROM"), given)
    pending = [(phase["name"], phase["state"], phase["error"]) for phase in found["phases"] if phase["state"] != "done"]
    if pending:
        click.echo()
        print_table(("PHASE", "STATE", "WHY"), pending)


def _trouble(found: dict[str, Any]) -> Iterator[str]:
    """What has gone wrong and is over: a boot that was not shut down, services that have died."""
    before = found.get("boot_before")
    if before and not before["orderly"]:
        from hepto.edge.logs import time_of_day

        last = before["began"] + before["written"] if before["last"] is None else before["last"]
        yield f"the boot before: {before['end']}; it was last heard of at {time_of_day(last, exact=False)}"
    for name, service in found["services"].items():
        if service.get("deaths"):
            from init.contract.status import LastExit

            last, times = LastExit(**service["last_death"]), "once" if service["deaths"] == 1 else ""
            times = times or f"{service['deaths']} times"
            ago = age(found["now"], last.at)
            yield f"{name} died {times}, last: {last.words}, {ago} ago; hepto service crashes {name}"


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("cluster", found["cluster"] or "-"),
        ("node", f"{found['node'] or '-'} ({found['role'] or '-'})"),
        ("address", found["address"] or "-"),
        ("data", f"{found['directory'] or '-'} (on {found['data'] or 'nothing yet'})"),
        ("clock", CLOCKS.get(found["clock"], found["clock"])),
    ]
    if found["authority"]:
        rows.append(("cluster CA", found["authority"]))
    if found.get("backup"):
        rows.append(("backup", _backup(found["backup"])))
    if found.get("copies"):
        rows += _copies(found)
    gossip = found["gossip"]
    if gossip:
        rows.append(("gossip", _gossip(gossip)))
    if found["mesh"]["peers"] or found["mesh"]["refused"]:
        rows.append(("mesh", _mesh(found["mesh"])))
    if found["refused"]:
        rows.append(("refused", _refused(found["refused"])))
    network = found["network"]
    if network:
        rows += [
            ("underlay", f"{network['interface'] or '-'} {' '.join(network['addresses'])} mtu {network['mtu']}"),
            ("router", " ".join(network["gateways"]) or "-"),
            ("resolvers", " ".join(network["resolvers"]) or "-"),
            ("search", " ".join(network["search"]) or "-"),
        ]
        if network["nat64"]:
            rows.append(("NAT64", network["nat64"]))
    return rows


def _backup(backup: dict[str, Any]) -> str:
    """The newest, and whether it is of use elsewhere."""
    from hepto.edge.logs import time_of_day

    kind = "encrypted" if backup["encrypted"] else "not encrypted"
    return f"{time_of_day(backup['made'], exact=False)}, {kind}: {backup['path']}"


def _copies(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """On a master: who else has its newest backup. Elsewhere: what is kept for the master."""
    nodes, here = found["copies"]["nodes"], found["copies"]["here"]
    backup = found.get("backup")
    if backup and backup["encrypted"]:
        newest = backup["path"].rpartition("/")[2]
        have = sorted(name for name, names in nodes.items() if newest in names)
        older = sorted(name for name, names in nodes.items() if names and newest not in names)
        said = [f"the newest on {', '.join(have)}"] if have else ["no other node has the newest"]
        yield "copies", "; ".join([*said, *([f"older ones on {', '.join(older)}"] if older else [])])
    elif here:
        yield "copies", f"{len(here)} of the master's backups, the newest {here[-1]}"


def _gossip(gossip: dict[str, Any]) -> str:
    """How many are in which state, and what was refused."""
    counts = [f"{count} {status}" for status, count in gossip["members"].items()]
    health = [f"health {gossip['health']} (0 is well, 7 worst)"] if gossip["health"] else []
    refused = [f"{count} refused: {reason}" for reason, count in gossip["refused"].items()]
    return ", ".join([*counts, *health, *refused])


def _mesh(mesh: dict[str, Any]) -> str:
    """How many peers are in which state, and which are not up."""
    peers = mesh["peers"]
    states = [peer["state"] for peer in peers]
    counts = [f"{states.count(state)} {state}" for state in ("up", "down", "unknown") if state in states]
    down = [f"{peer['name']} {peer['state']}: {peer['reason']}" for peer in peers if peer["state"] == "down"]
    refused = [f"{name} refused: {why}" for name, why in mesh["refused"].items()]
    return "; ".join([", ".join(counts) or "no peer", *down, *refused])


def _refused(refused: dict[str, dict[str, int]]) -> str:
    """How many of each kind, the most frequent reasons first."""
    kinds = []
    for what, counts in refused.items():
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        reasons = [f"{count} {reason}" for reason, count in most[:MOST_REASONS]]
        rest = sum(count for _, count in most[MOST_REASONS:])
        kinds.append(f"{what}: {', '.join([*reasons, *([f'{rest} others'] if rest else [])])}")
    return "; ".join(kinds)


def _why(service: dict[str, Any]) -> str:
    if service["error"]:
        return str(service["error"])
    wait = service["waits_for"]
    if wait:
        return f"waits for {wait['reason']} {wait['subject']}".rstrip()
    return ""


def age(now: float, since: float) -> str:
    """How long ago, in the unit that says most."""
    from init.contract.status import span

    return span(now - since)
