"""How a command fails: two lines on standard error (what is wrong, what to do) and an exit code of contract.md.

No traceback unless it is asked for. A UserError with several mistakes has two lines for each.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

from hepto.errors import ExitCode, PeerError, UserError

_HINTS = {
    errno.ENOSPC: "make room on that disk and start again",
    errno.EACCES: "run it as a user who may do this, such as root",
    errno.EPERM: "run it as a user who may do this, such as root",
    errno.ENOENT: "check the path",
    errno.EROFS: "choose a place that can be written to",
}


def guard(function: Callable[[], object], *, wants_traceback: Callable[[BaseException], bool]) -> int:
    """Call `function`; its result, if it is a number, is the exit code. Never raises but SystemExit."""
    try:
        result = function()
        sys.stdout.flush()
    except SystemExit:
        raise
    except BrokenPipeError:
        # Whoever read our output has seen enough. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except BaseException as error:  # noqa: BLE001 (this is the place where every command ends)
        if wants_traceback(error):
            traceback.print_exception(error)
        explained = explain(error)
        print(format_error(explained), file=sys.stderr)
        return explained.code
    return int(result) if isinstance(result, int) else ExitCode.DONE


def is_ours(error: BaseException) -> bool:
    """A defect of hepto, which the user can do nothing about."""
    return not isinstance(error, UserError | KeyboardInterrupt | OSError)


def explain(error: BaseException) -> UserError:
    """What is wrong and what to do about it, for any exception."""
    match error:
        case UserError():
            return error
        case PeerError():
            return UserError(f"the other side broke a rule: {error}", "check that both run the same version of hepto")
        case KeyboardInterrupt():
            return _interrupted()
        case OSError() if error.errno is not None:
            place = f"{error.filename}: " if error.filename else ""
            hint = _HINTS.get(error.errno, "“hepto --debug …” shows where it happened")
            return UserError(f"{place}{error.strerror}", hint)
    return _explain_click(error) or UserError(
        f"an error of hepto itself: {type(error).__name__}: {' '.join(str(error).split())}",
        "“hepto --debug …” shows where it happened; please report that",
    )


def _explain_click(error: BaseException) -> UserError | None:
    if "click" not in sys.modules:
        return None
    import click

    from hepto.given import printable, shorten

    match error:
        case click.Abort():
            return _interrupted()
        case click.NoSuchOption(option_name="--debug"):
            return UserError("--debug belongs before the command", "say “hepto --debug COMMAND …”", ExitCode.USAGE)
        case click.NoSuchOption():
            near = [name for name in error.possibilities or () if name.startswith("--")]
            hint = f"did you mean {near[0]}?" if near else f"“{_command(error)} --help” lists the options"
            return UserError(f"there is no option {shorten(error.option_name)}", hint, ExitCode.USAGE)
        case click.UsageError():
            message = " ".join(error.format_message().split()).rstrip(".")
            return UserError(printable(message), f"“{_command(error)} --help” shows how it is used", ExitCode.USAGE)
        case click.ClickException():
            return UserError(error.format_message(), "“hepto --debug …” shows where it happened")
        case _:
            return None


def _command(error: "click.UsageError") -> str:
    return error.ctx.command_path if error.ctx else "hepto"


def _interrupted() -> UserError:
    return UserError("stopped before it was done", "start it again; what is half done does not count as done")


def format_error(error: UserError) -> str:
    """The lines that a person sees."""
    lines = [*error.what.splitlines(), error.hint]
    # Several mistakes come as pairs; an odd count is one text of several lines.
    heads = range(0, len(lines), 2) if len(lines) % 2 == 0 else (0,)
    return "\n".join(f"hepto: {line}" if index in heads else f"       {line}" for index, line in enumerate(lines))
