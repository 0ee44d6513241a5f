"""Whose fault an error is: the user's (two lines and an exit code), a peer's (a counted reason), or ours (a crash).

Everything that is neither UserError nor PeerError is a bug of hepto and is not caught below the command line.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command (contract.md section 2)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4


class UserError(Exception):
    """Something that the user can put right: `what` is wrong and what to do (`hint`), one line each."""

    def __init__(self, what: str, hint: str, code: ExitCode = ExitCode.FAILED):
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.code = code

    def lines(self) -> tuple[str, str]:
        """The two lines that the user sees."""
        return self.what, self.hint


class PeerError(Exception):
    """Input from outside that breaks a rule. State is untouched; the reason is counted by name."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
