"""`hepto agent`: the node agent. Started by PID 1, without click: its imports are part of the boot's time."""

from collections.abc import Sequence
from pathlib import Path

from hepto.errors import ExitCode, UserError
from init.contract import paths

HELP = """Usage: hepto agent

  Run the node agent until PID 1 ends it. PID 1 starts it; on a node “hepto status” asks it.

  Examples:
    hepto service restart agent
    hepto logs agent
"""


def command(words: Sequence[str], supervisor: str = paths.INIT_SOCKET) -> int:
    """Run until PID 1 ends it. Raises UserError where there is no PID 1 of ours, which would listen at `supervisor`."""
    if list(words) in (["--help"], ["-h"]):
        print(HELP, end="")
        return ExitCode.DONE
    if words:
        raise UserError(f"hepto agent takes no arguments, not {words[0]!r}", "PID 1 starts it", ExitCode.USAGE)
    if not Path(supervisor).exists():
        raise UserError(
            f"hepto agent runs on a node only, and there is no PID 1 of hepto here ({supervisor} is missing)",
            "boot a node with “hepto lab up”, or run “hepto gossip run” for a member without a node",
            ExitCode.UNREACHABLE,
        )
    from hepto.node.agent import main

    return main()
