"""What goes wrong with a node's data disk, on order: it is full, or it neither reads nor writes any more."""

from typing import Final

from hepto.errors import UserError
from hepto.lab.client import LabClient

FILLED: Final = "/var/lib/hepto/lab-filled"
FILL: Final = f"""
import os
file = os.open("{FILLED}", os.O_WRONLY | os.O_CREAT, 0o600)
end, step = os.fstat(file).st_size, 1 << 40
while step >= 512:
    try:
        os.posix_fallocate(file, end, step)
        end += step
    except OSError:
        step >>= 1
"""
"""A file that takes all that is free, without a byte being written."""
FREE: Final = f"""
import contextlib, os
with contextlib.suppress(FileNotFoundError):
    os.unlink("{FILLED}")
"""
LIMIT: Final = 60.0


def change(connection: LabClient, node: str, state: str) -> None:
    """`full`, `broken`, or `ok`: neither of them. Raises UserError."""
    connection.fault("disk", node=node, broken=state == "broken")
    if state == "full":
        _python(connection, node, FILL)
    elif state == "ok" and connection.node_state(node)["channel"]:
        _python(connection, node, FREE)


def _python(connection: LabClient, node: str, script: str) -> None:
    done = connection.run(node, "/usr/bin/python3", "-I", "-c", script, timeout=LIMIT)
    if done.status:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise UserError(f"{node} cannot do it to its disk: {lines[-1]}", "hepto lab status  shows more")
