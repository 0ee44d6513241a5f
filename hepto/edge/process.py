"""Runs a short command of the node (nft, …) to its end, without blocking the agent.

Promises: a time limit after which the command is killed; output is kept for the error. Services are not started here:
that is PID 1's work.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

SECONDS = 30.0
SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Result:
    argv: tuple[str, ...]
    status: int
    """As subprocess has it: negative for a signal."""
    stdout: bytes
    stderr: bytes


class CommandError(OSError):
    """A command that did not end with 0, or not in time."""

    def __init__(self, argv: Sequence[str], why: str):
        super().__init__(f"{' '.join(argv)}: {why}")


async def run(argv: Sequence[str], stdin: bytes = b"", *, timeout: float = SECONDS) -> Result:  # noqa: ASYNC109 - the command is killed, not only left
    """Run the command; raises CommandError unless it ends with 0 within `timeout`."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout):  # wait_for of Python 3.11 loses a cancellation that comes with the end
            stdout, stderr = await process.communicate(stdin)
    except TimeoutError:
        raise CommandError(argv, f"not done after {timeout:g} s, killed") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    assert process.returncode is not None
    if process.returncode != 0:
        text = stderr.decode(errors="replace").strip()[-SHOWN:]
        raise CommandError(argv, f"status {process.returncode}: {text}")
    return Result(tuple(argv), process.returncode, stdout, stderr)
