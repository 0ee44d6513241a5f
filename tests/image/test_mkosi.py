from pathlib import Path

import pytest

from hepto.edge.command import CommandFailedError
from hepto.errors import ExitCode
from image.mkosi import explained

LOG = Path("/cache/logs/mkosi-tree.log")


@pytest.mark.parametrize(
    ("output", "what", "code"),
    [
        ("‣ Installing\nE: Unable to locate package crum\n‣ apt-get returned 100", "no package crum", ExitCode.FAILED),
        ("W: x\nE: Failed to fetch http://m/InRelease  Could not resolve 'm'", "could not reach", ExitCode.UNREACHABLE),
        ("cp: No space left on device\n‣ cp failed", "no space left", ExitCode.FAILED),
        ("‣ newuidmap not found", "may not make a user namespace", ExitCode.FAILED),
        ("noise\n‣ the real reason\n", "mkosi failed: the real reason", ExitCode.FAILED),
    ],
)
def test_mkosis_failures_are_explained(output: str, what: str, code: ExitCode) -> None:
    error = explained(CommandFailedError(["mkosi"], 1, output), LOG)

    assert what in error.what
    assert error.code is code
    assert "\n" not in error.what + error.hint
