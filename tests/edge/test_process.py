import asyncio
import sys

import pytest

from hepto.edge.process import CommandError, run


def test_input_goes_in_and_output_comes_out() -> None:
    result = asyncio.run(run((sys.executable, "-c", "print(input() + '!')"), b"hello\n"))

    assert (result.status, result.stdout, result.stderr) == (0, b"hello!\n", b"")


def test_a_failure_carries_the_command_s_own_words() -> None:
    script = "import sys; sys.stderr.write('no such table'); sys.exit(3)"

    with pytest.raises(CommandError, match="status 3: no such table"):
        asyncio.run(run((sys.executable, "-c", script)))


def test_a_command_that_does_not_end_is_killed() -> None:
    with pytest.raises(CommandError, match=r"not done after 0.1 s, killed"):
        asyncio.run(run((sys.executable, "-c", "import signal; signal.pause()"), timeout=0.1))


def test_a_command_that_is_not_there_is_an_oserror() -> None:
    with pytest.raises(OSError):
        asyncio.run(run(("/no/such/command",)))
