import json
import signal
from dataclasses import replace

import pytest

from init.contract import crash
from init.contract.crash import Crash
from init.contract.status import LastExit

CRASH = Crash("etcd", 3, "boot", 1_700_000_000.5, LastExit("signal", 9, 70.0, out_of_memory=True), 12.5, lines=("bye",))


def test_a_report_is_read_back() -> None:
    whole = replace(CRASH, error="cwd: none", memory_peak=1 << 30, retry=0.1, console=crash.AGAIN)

    assert crash.decode(crash.encode(CRASH)) == CRASH
    assert crash.decode(crash.encode(whole)) == whole
    assert json.loads(crash.encode(CRASH))["version"] == crash.VERSION


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"service": "etcd"}', b'{"service": 1, "number": {}}', b"\xff"])
def test_what_is_none_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        crash.decode(data)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (CRASH, "killed by signal 9 (SIGKILL), out of memory"),
        (replace(CRASH, exit=LastExit("signal", signal.SIGSEGV, 1.0)), "killed by signal 11 (SIGSEGV)"),
        (replace(CRASH, exit=LastExit("signal", 44, 1.0)), "killed by signal 44"),
        (replace(CRASH, exit=LastExit("exit", 2, 1.0)), "exited with status 2"),
        (replace(CRASH, exit=LastExit("exec", 2, 1.0)), "could not be started: No such file or directory"),
        (replace(CRASH, exit=LastExit("exec", 2, 1.0), error="cwd: gone"), "could not be started: cwd: gone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_cause_is_in_words_and_the_mark_is_one_of_a_kind(found: Crash, cause: str) -> None:
    assert found.cause == cause
    assert found.mark == f"hepto: died (3): {cause}"
    assert crash.file_name(found) == "etcd.3.boot.json"
