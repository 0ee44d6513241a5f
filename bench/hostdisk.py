"""A disk of this machine whose writes are logged like those of a lab's node: QEMU runs, but no guest.

QEMU exports the disk as a file, a loop device makes a disk of it, and this machine's own kernel writes there. Needs
root, and /dev/fuse.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hepto.errors import UserError
from hepto.lab import qemu, qmp
from hepto.lab.spec import Emulator

SECONDS: Final = 30.0
EXPORT: Final = 1
"""Identity of the one command that is waited for."""


@contextlib.contextmanager
def recorded(emulator: Emulator, size: int, directory: Path) -> Iterator[tuple[str, Path]]:
    """A blank disk of `size` bytes: the device, and the file of its log. It must not be in use any more at the end."""
    disk, log, export = (directory / name for name in ("disk.raw", "writes.log", "export"))
    for path in (disk, log, export):
        path.touch()
    os.truncate(disk, size)
    with contextlib.ExitStack() as stack:
        _serve(stack, emulator, qemu.data_nodes(disk, log), export)
        device = _run("losetup", "--find", "--show", str(export))
        stack.callback(_run, "losetup", "--detach", device)
        yield device, log


def _serve(stack: contextlib.ExitStack, emulator: Emulator, nodes: tuple[qemu.Block, ...], export: Path) -> None:
    """QEMU without a machine, until the stack is closed."""
    near, far = socket.socketpair()
    stack.callback(near.close)
    process = stack.enter_context(
        subprocess.Popen(
            qemu.export_argv(emulator, nodes, far.fileno()),
            stdin=subprocess.DEVNULL,
            env={**os.environ, **dict(emulator.environment)},
            pass_fds=(far.fileno(),),
        )
    )
    stack.callback(process.terminate)  # then it takes its mount away, which outlives a SIGKILL
    far.close()
    near.settimeout(SECONDS)
    wanted = {"type": "fuse", "id": "export", "node-name": qemu.DATA, "mountpoint": str(export), "writable": True}
    near.sendall(qmp.command("qmp_capabilities", 0) + qmp.command("block-export-add", EXPORT, **wanted))
    parser = qmp.Parser()
    while True:
        data = near.recv(65536)
        for message in parser.feed(data):
            if isinstance(message, qmp.Reply) and message.id == EXPORT:
                if message.error:
                    raise UserError(f"QEMU does not export a disk: {message.error}", "is there a /dev/fuse?")
                return
        if not data:
            raise UserError("QEMU has ended", "see what it said above")


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
