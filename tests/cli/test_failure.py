"""Whatever goes wrong ends in two lines and an exit code of the contract."""

import errno

import click
import pytest

from hepto.cli import failure
from hepto.errors import ExitCode, PeerError, UserError


@pytest.mark.parametrize(
    ("error", "code", "what"),
    [
        (UserError("a", "b", ExitCode.REFUSED), ExitCode.REFUSED, "a"),
        (PeerError("bad-frame", "too long"), ExitCode.FAILED, "the other side broke a rule: bad-frame: too long"),
        (KeyboardInterrupt(), ExitCode.FAILED, "stopped before it was done"),
        (click.Abort(), ExitCode.FAILED, "stopped before it was done"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), ExitCode.FAILED, "/x: No space left on device"),
        (OSError("odd"), ExitCode.FAILED, "an error of hepto itself: OSError: odd"),
        (click.UsageError("Bad."), ExitCode.USAGE, "Bad"),
        (click.ClickException("odd"), ExitCode.FAILED, "odd"),
        (ValueError("a\nb"), ExitCode.FAILED, "an error of hepto itself: ValueError: a b"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_error(
    error: BaseException, code: ExitCode, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    assert failure.guard(fail, wants_traceback=lambda _: False) == code

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0] == f"hepto: {what}"
    assert lines[1].startswith("       ")


@pytest.mark.parametrize(("result", "code"), [(None, 0), (3, 3), ("text", 0), (True, 1)])
def test_a_result_that_is_a_number_is_the_exit_code(result: object, code: int) -> None:
    assert failure.guard(lambda: result, wants_traceback=lambda _: False) == code


def test_several_mistakes_are_pairs_of_lines() -> None:
    assert failure.format_error(UserError("a\nA\nb", "B")) == "hepto: a\n       A\nhepto: b\n       B"
    assert failure.format_error(UserError("a\nb", "c")) == "hepto: a\n       b\n       c"


def test_the_log_of_a_program_has_the_traceback_of_our_errors_only() -> None:
    assert failure.is_ours(ValueError())
    assert not failure.is_ours(UserError("a", "b"))
    assert not failure.is_ours(KeyboardInterrupt())
