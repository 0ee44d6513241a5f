"""`hepto cmdline`: a checked kernel command line, to paste into a boot loader, iPXE or a VM's settings."""

import click

from hepto import options
from hepto.cli.flags import option_flags
from hepto.config import resolve
from hepto.errors import ExitCode, UserError
from hepto.given import Given
from hepto.sources import CMDLINE_LIMIT, quote


@click.command()
@option_flags(without=["info"])
def command(givens: list[Given]) -> None:
    """Print a kernel command line that says what the flags say, if it is right.

    Secrets do not belong on it, for every pod can read it: give the key as a credential.

    \b
    Examples:
      hepto cmdline --cluster demo --name one --role full
      hepto cmdline -cluster demo -dns 2001:db8:1::53
    """
    line = render(givens)
    click.echo(line)
    if len(line) >= CMDLINE_LIMIT - 1:
        warning = f"the kernel cuts a command line after {CMDLINE_LIMIT - 1:,} bytes; this one has {len(line):,}"
        click.echo(f"warning: {warning}", err=True)


def render(givens: list[Given]) -> str:
    """The words for what was given, in the order of the table; raises UserError if something is wrong."""
    for given in givens:
        option = options.BY_NAME.get(options.normalise(given.name))
        if option and option.secret:
            raise UserError(
                f"{option.key} does not belong on the kernel command line: every pod can read it",
                f"give it as the credential {option.key} instead (docs/boot.md says how)",
                ExitCode.USAGE,
            )
    config = resolve(givens, key_elsewhere=True).require()
    given_names = {options.normalise(given.name) for given in givens}
    words = [
        quote(option.key, options.render(option, getattr(config, option.attribute)))
        for option in options.AVAILABLE
        if option.name in given_names
    ]
    return " ".join(words)
