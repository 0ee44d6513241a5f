"""`hepto gossip`: the members that this node knows, and why it believes what it believes of one.

It asks the socket of the agent's gossip, or that of a member which `hepto gossip run --socket` runs.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import click

from hepto.cli.gossip_run import run
from hepto.cli.group import Group
from hepto.cli.output import columns, print_json, print_table
from hepto.cli.status import ask_agent
from hepto.errors import ExitCode, UserError
from init.contract import paths

POLL_SECONDS = 0.5
HEADERS = ("NAME", "ADDRESS", "STATUS", "SINCE", "INCARNATION", "RTT")


@click.group("gossip", cls=Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", "is_watched", is_flag=True, help="Go on showing what changes.")
@click.option("--why", "whom", metavar="NAME", help="What has become of this member, and why.")
@click.option(
    "--socket", "path", default=paths.GOSSIP_SOCKET, metavar="PATH", help="Ask the member that has this socket."
)
@click.pass_context
def command(context: click.Context, as_json: bool, is_watched: bool, whom: str | None, path: str) -> None:
    """Show the members that gossip knows on this node: who is said to be where, which is no reason to trust anybody.

    \b
    Examples:
      hepto gossip
      hepto gossip --why two
      hepto gossip --watch
      hepto gossip --json | jq .members
    """
    if context.invoked_subcommand is not None:
        return
    if is_watched:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(path, as_json=as_json)
        return
    found = ask(path)
    if whom is not None:
        _print_why(found, whom, as_json=as_json)
    elif as_json:
        print_json(found)
    else:
        _print(found)


command.add_command(run)


def ask(path: str) -> dict[str, Any]:
    """What the member knows. Raises UserError when it does not answer."""
    found = ask_agent(path)
    if found is None:
        raise UserError(
            f"no member answers on {path}",
            "“hepto status” says what a node waits for; name the socket of “hepto gossip run” with --socket",
            ExitCode.UNREACHABLE,
        )
    return found


# --- once


def _print(found: dict[str, Any]) -> None:
    print_table(HEADERS, rows(found))
    click.echo()
    click.echo(summary(found))


def rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table of members."""
    return [
        (
            member["name"],
            member["address"],
            member["status"],
            _age(found["now"] - member["since"]),
            str(member["incarnation"]),
            "-" if member["round_trip"] is None else f"{member['round_trip'] * 1000:.1f} ms",
        )
        for member in found["members"]
    ]


def summary(found: dict[str, Any]) -> str:
    """One line: how many are in which state, how well this member itself is, what it has counted."""
    statuses = [member["status"] for member in found["members"]]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    health = "well" if not found["health"] else f"{found['health']} (0 is well, 7 worst)"
    counted = "".join(f", {count} {name}" for name, count in found["counters"].items())
    return f"{counts}; health of {found['name']}: {health}{counted}"


def _print_why(found: dict[str, Any], whom: str, *, as_json: bool) -> None:
    member = next((member for member in found["members"] if member["name"] == whom), None)
    if member is None:
        raise UserError(f"no member is called {whom}", "“hepto gossip” lists those that are known")
    if as_json:
        print_json(member)
        return
    click.echo(f"{whom} at {member['address']} is {member['status']}, incarnation {member['incarnation']}")
    print_table(
        ("", "", ""),
        [(f"{_age(found['now'] - line['time'])} ago", line["what"], line["why"]) for line in member["history"]],
    )


def _age(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"


# --- as it changes


def _watch(path: str, *, as_json: bool) -> None:
    if sys.stdout.isatty() and not as_json and find_spec("rich"):  # on a node it is not installed
        _draw(path)
        return
    for news in _news(path):
        if as_json:
            click.echo(_json_line(news))
        else:
            why = f" ({news['why']})" if news["why"] else ""
            click.echo(f"{_clock(news['age'])} {news['name']} {news['what']}{why}")


def _news(path: str) -> Iterator[dict[str, Any]]:
    """What has become of members, from now on. For ever."""
    seen = ask(path)["now"]
    while True:
        time.sleep(POLL_SECONDS)
        found = ask(path)
        fresh = [
            {"name": member["name"], "age": found["now"] - line["time"], **line}
            for member in found["members"]
            for line in member["history"]
            if line["time"] > seen
        ]
        yield from sorted(fresh, key=lambda line: float(line["time"]))
        seen = found["now"]


def _draw(path: str) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            found = ask(path)
            lines = columns([HEADERS, *rows(found)], console.width)
            live.update(Text("\n".join([*lines, "", summary(found)])), refresh=True)
            time.sleep(POLL_SECONDS)


def _clock(age: float) -> str:
    return datetime.fromtimestamp(time.time() - age, UTC).isoformat(timespec="milliseconds")


def _json_line(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
