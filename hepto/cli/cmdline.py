"""`hepto cmdline`: a checked kernel command line, to paste into a boot loader, iPXE or a VM's settings."""

import click

from hepto import options
from hepto.cli.flags import option_flags
from hepto.cli.output import print_json
from hepto.config import resolve
from hepto.given import Given
from hepto.sources import CMDLINE_LIMIT, quote


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@option_flags(without=["info"])
def command(givens: list[Given], as_json: bool) -> None:
    """Print a kernel command line that says what the flags say, if it is right.

    Secrets do not belong on it, for every pod can read it: give the key as a credential.

    \b
    Examples:
      hepto cmdline --cluster demo --name one --role full
      hepto cmdline -cluster demo -dns 2001:db8:1::53
    """
    line = render(givens)
    warnings = []
    if len(line) >= CMDLINE_LIMIT - 1:
        warnings.append(f"the kernel cuts a command line after {CMDLINE_LIMIT - 1:,} bytes; this one has {len(line):,}")
    if as_json:
        print_json({"cmdline": line, "warnings": warnings})
        return
    click.echo(line)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def render(givens: list[Given]) -> str:
    """The words for what was given, in the order of the table; raises UserError if something is wrong."""
    config = resolve([_refuse_secret(given) for given in givens], key_elsewhere=True).require()
    given_names = {options.normalise(given.name) for given in givens}
    words = [
        quote(option.key, options.render(option, getattr(config, option.attribute)))
        for option in options.AVAILABLE
        if option.name in given_names
    ]
    return " ".join(words)


def _refuse_secret(given: Given) -> Given:
    """A secret becomes a mistake, which is reported with all others."""
    option = options.BY_NAME.get(options.normalise(given.name))
    if option is None or not option.secret:
        return given
    what = "it does not belong on the kernel command line: every pod can read it"
    return Given(
        given.name, None, given.source, (what, f"give it as the credential {option.key} (docs/boot.md says how)")
    )
