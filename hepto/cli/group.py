"""The click group of `hepto`: subcommands are found in the table and imported when they are used."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from hepto.errors import ExitCode, UserError
from hepto.given import shorten

if TYPE_CHECKING:
    from hepto.cli.main import Row

WIDEST_HELP = 120


@dataclass
class Settings:
    """What was said before the subcommand."""

    debug: bool = False


class Group(click.Group):
    """Says which command was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UserError for a command that is not there."""
        name = args[0]
        known = self.list_commands(ctx)
        if not ctx.resilient_parsing and not name.startswith("-") and name.replace("_", "-") not in known:
            near = get_close_matches(name, known, n=1)
            path = ctx.command_path
            hint = f"did you mean “{path} {near[0]}”?" if near else f"“{path} --help” lists the commands"
            raise UserError(f"there is no command “{shorten(name)}”", hint, ExitCode.USAGE)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """Knows its subcommands by name and summary, and imports one only to run it."""

    rows: Mapping[str, "Row"]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those that are there, in the order of the table."""
        del ctx
        return [name for name, row in self.rows.items() if row.is_present()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        del ctx
        row = self.rows.get(cmd_name)
        if row is None or not row.is_present():
            return None
        target = row.load()
        if isinstance(target, click.Command):
            return target

        # A program of the node: it reads its arguments itself.
        @click.command(
            cmd_name, help=row.summary, add_help_option=False, context_settings={"ignore_unknown_options": True}
        )
        @click.argument("words", nargs=-1, type=click.UNPROCESSED)
        def command(words: tuple[str, ...]) -> object:
            return target(words)

        return command

    def invoke(self, ctx: click.Context) -> object:
        """Let an error know which subcommand it is about; click forgets it for a missing argument of an option."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            if error.ctx is None and name:
                error.ctx = click.Context(click.Command(name), info_name=name, parent=ctx)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.rows[name].summary) for name in self.list_commands(ctx)])


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from hepto.cli import version

        click.echo(version.text())
        ctx.exit()


def make_group(rows: Mapping[str, "Row"]) -> click.Group:
    """The command with these subcommands."""

    @click.group(
        cls=LazyGroup,
        context_settings={
            "help_option_names": ["--help", "-h", "-help"],  # the last as the original Hepto has it
            "max_content_width": min(shutil.get_terminal_size().columns, WIDEST_HELP),
            "token_normalize_func": lambda token: token.replace("_", "-"),
        },
    )
    @click.option("--debug", is_flag=True, help="Show where an error happened.")
    @click.option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_version,
        help="Show the version of hepto, and of image and stack.",
    )
    @click.pass_obj
    def hepto(settings: Settings | None, debug: bool) -> None:
        """IPv6-only Kubernetes clusters that need no central service: build the image, boot it, look at it.

        \b
        Examples:
          hepto build
          hepto lab up
          hepto info --cluster demo --name one
        """
        if settings:
            settings.debug = debug

    assert isinstance(hepto, LazyGroup)
    hepto.rows = rows
    return hepto
