"""The options of commands that ask a node from outside. Light: `hepto status` on a node loads this in every boot.

What they mean is in hepto/cli/operator.py, which is loaded only when something is asked from outside.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from hepto.errors import ExitCode, UserError

if TYPE_CHECKING:
    from hepto.cli.operator import Session

OPTIONS = ("anchor", "cluster", "key", "ca", "api_port")


@dataclass(frozen=True)
class Remote:
    """What was said of whom to ask."""

    given: dict[str, str]
    ssh_key: str | None

    @property
    def wanted(self) -> bool:
        """Somebody else is to be asked, not this machine."""
        return "anchor" in self.given or bool(os.environ.get("HEPTO_ANCHOR"))

    def session(self) -> "Session":
        """To ask with. Raises UserError."""
        from hepto.cli.operator import open_session

        return open_session(self.given, self.ssh_key)

    def refuse(self, node: str) -> UserError:
        """For a node that was named, without anybody to ask."""
        return UserError(
            f"{node} is asked by way of a member of its cluster", "name one with --anchor HOST", ExitCode.USAGE
        )


def remote_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The command gets `remote`. Any: a click callback's parameters are those of its decorators."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        found = {name: kwargs.pop(f"remote_{name}") for name in OPTIONS}
        given = {name.replace("_", "-"): text for name, text in found.items() if text is not None}
        return function(*args, remote=Remote(given, kwargs.pop("remote_ssh_key")), **kwargs)

    result: Callable[..., Any] = wrapper
    for declaration in reversed(_DECLARATIONS):
        result = declaration(result)
    return result


_DECLARATIONS = (
    click.option(
        "--anchor", "remote_anchor", metavar="HOST,…", help="Members to ask, any of them. [default: $HEPTO_ANCHOR]"
    ),
    click.option("--cluster", "remote_cluster", metavar="NAME", help="Name of the cluster. [default: hepto]"),
    click.option("--key", "remote_key", metavar="@FILE|-", help="The cluster's gossip key. [default: $HEPTO_KEY]"),
    click.option("--ca", "remote_ca", metavar="SHA256", help="The cluster's CA to insist on. [default: the known one]"),
    click.option("--api-port", "remote_api_port", metavar="PORT", help="Port of the node API. [default: 7947]"),
    click.option(
        "--ssh-key",
        "remote_ssh_key",
        metavar="FILE",
        type=click.Path(),
        help="Your SSH key, which is in hepto.admin; of a public one ssh-agent has the other half. "
        "[default: ~/.ssh/id_ed25519, else the first of ssh-agent]",
    ),
)
