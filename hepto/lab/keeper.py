"""The process outside of a lab: holds the lab's lock, waits for the holder, and then removes the lab's files.

Started as `python -m hepto.lab.keeper DIRECTORY LEASH` by `hepto lab up`. It never talks and never decides; the
holder notices its death by a pipe. Kept to a handful of imports, for it stays as long as the lab.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from hepto.lab import state

UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")


def unshare_argv(user: int) -> tuple[str, ...]:
    """The command that makes the lab's namespaces; who is not root needs a user namespace for the others."""
    return (*UNSHARE, *(() if user == 0 else ("--map-root-user",)))


def main(arguments: list[str]) -> int:
    """Run one lab from its beginning to its end."""
    where, leash = state.Place(Path(arguments[0])), int(arguments[1])
    os.umask(0o077)
    # Ctrl-C and the end of the terminal are for the command; it tells the holder by the leash.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    lock = state.acquire(where)
    if lock is None:
        os.write(leash, json.dumps({"taken": f"lab {where.name} is already there"}).encode() + b"\n")
        return 1
    try:
        state.clear(where)
        where.directory.mkdir(mode=0o700, parents=True)
        return _hold(where, leash)
    finally:
        state.remove(where)


def _hold(where: state.Place, leash: int) -> int:
    """Start the holder in its namespaces and wait for its end."""
    alive, kept = os.pipe()  # `kept` is only in this process: when it dies, the holder reads the end of the pipe
    with where.log.open("wb") as log:
        command = [*unshare_argv(os.getuid()), sys.executable, "-m", "hepto.lab.holder"]
        command += [str(where.directory), str(leash), str(alive)]
        holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(leash, alive))
    os.close(alive)
    status = holder.wait()
    os.close(kept)
    if status:
        with contextlib.suppress(OSError):  # whoever made the lab has been told otherwise, or is long gone
            os.write(leash, json.dumps({"failed": _last_words(where.log)}).encode() + b"\n")
    return status


def _last_words(log: Path) -> str:
    """The last line of the holder, or of the command that makes its namespaces; the log is removed with the lab."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
