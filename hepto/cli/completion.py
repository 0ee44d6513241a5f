"""`hepto completion`: the script with which a shell completes commands, options and their values."""

import click
from click.shell_completion import get_completion_class

from hepto.cli.main import command_group

VARIABLE = "_HEPTO_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    Examples:
      source <(hepto completion bash)
      hepto completion zsh > "${fpath[1]}/_hepto"
      hepto completion fish > ~/.config/fish/completions/hepto.fish
    """
    click.echo(script(shell))


def script(shell: str) -> str:
    """The script that bash, zsh or fish reads."""
    found = get_completion_class(shell)
    assert found  # the choices above are click's own
    made = found(command_group(), {}, "hepto", VARIABLE)
    # Not source(): for bash it runs bash to look at its version.
    return made.source_template % made.source_vars()
