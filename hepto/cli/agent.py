"""`hepto agent`: the node agent. Started by PID 1, without click: its imports are part of the boot's time."""

from collections.abc import Sequence

from hepto.errors import ExitCode, UserError


def command(words: Sequence[str]) -> int:
    """Run until PID 1 ends it."""
    if words:
        raise UserError(f"hepto agent takes no arguments, not {words[0]!r}", "PID 1 starts it", ExitCode.USAGE)
    from hepto.node.agent import main

    return main()
