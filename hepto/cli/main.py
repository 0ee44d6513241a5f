"""The command `hepto`: finds the subcommand, runs it, and turns whatever goes wrong into two lines and an exit code.

Subcommands are rows of COMMANDS and are imported only when they are run, so that none pays for another's libraries; a
row whose module is not there (the image has no builder) is no command. Programs of the node are called without click.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hepto.cli import failure

if TYPE_CHECKING:
    import click


@dataclass(frozen=True)
class Row:
    """A subcommand: where it is, and its line in `hepto --help`."""

    target: str
    """module:attribute. A click.Command; of a program of the node a function from arguments to an exit code."""
    summary: str
    is_program: bool = False
    """Run by PID 1, not by a person: starts without click, and an error of ours leaves its traceback in the log."""

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    def is_present(self) -> bool:
        """Its module exists."""
        return importlib.util.find_spec(self.module) is not None

    def load(self) -> Any:
        # Any: what an attribute named in a table is, only its module knows; tests/cli/test_main.py looks at each.
        return getattr(importlib.import_module(self.module), self.target.partition(":")[2])


# In the order in which one meets them.
COMMANDS = {
    "build": Row("hepto.cli.build:command", "Build the image."),
    "lab": Row("hepto.cli.lab:command", "Run a cluster of virtual machines on this machine."),
    "start": Row("hepto.cli.host_start:command", "Run a node in a container on this host."),
    "stop": Row("hepto.cli.host:stop", "End a node of this host."),
    "list": Row("hepto.cli.host:list_nodes", "List the nodes of this host."),
    "sim": Row("hepto.cli.sim:command", "Run a simulated cluster."),
    "status": Row("hepto.cli.status:command", "Show what is up, and what the rest waits for."),
    "service": Row("hepto.cli.service:command", "Start, stop and restart services of a node; power it off."),
    "logs": Row("hepto.cli.logs:command", "Show what services of a node wrote."),
    "boot-chart": Row("hepto.cli.boot_chart:command", "Draw how a node's boot went."),
    "node": Row("hepto.cli.node:command", "Show and change who belongs to the cluster."),
    "kubeconfig": Row("hepto.cli.kubeconfig:command", "Fetch an administrator's kubeconfig."),
    "backup": Row("hepto.cli.backup:command", "Take a backup of a master, or fetch one that a node has."),
    "install": Row("hepto.cli.install:command", "Install a node on a disk, from the ISO image."),
    "gossip": Row("hepto.cli.gossip:command", "Show the members that gossip knows; run one alone."),
    "info": Row("hepto.cli.info:command", "Print what a configuration means."),
    "options": Row("hepto.cli.options:command", "Print the options of a node."),
    "cmdline": Row("hepto.cli.cmdline:command", "Print a checked kernel command line."),
    "key": Row("hepto.cli.key:command", "Make a key."),
    "completion": Row("hepto.cli.completion:command", "Print the completion script of a shell."),
    "agent": Row("hepto.cli.agent:command", "Run the node agent (PID 1 does).", is_program=True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and any(name.startswith("HEPTO_") for name in os.environ):
        from hepto.cli.environment import hide_secrets

        hide_secrets()
    row = COMMANDS.get(words[0]) if words else None
    if row and row.is_program and row.is_present():
        return failure.guard(lambda: row.load()(words[1:]), wants_traceback=failure.is_ours)

    from hepto.cli.group import Settings, make_group

    settings = Settings()

    def run() -> object:
        return make_group(COMMANDS).main(words, prog_name="hepto", standalone_mode=False, obj=settings)

    return failure.guard(run, wants_traceback=lambda _: settings.debug)


def command_group() -> "click.Group":
    """The whole command as click sees it, for completion and tests."""
    from hepto.cli.group import make_group

    return make_group(COMMANDS)
