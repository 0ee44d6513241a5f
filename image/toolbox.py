"""Programs of the tree of tools, run inside it: what calls other programs finds those of the same Debian.

Promises: the cached tree is not written to; a program sees one directory of ours, as /tmp. Works with and without root,
as mkosi itself does (a mount namespace, for a user in a namespace of its own).
"""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hepto.edge.command import CommandFailedError, run
from hepto.errors import UserError

WORK = "/tmp"  # of the tree of tools, in a mount namespace of ours
SECONDS = 900.0
ENTER = """
set -e
tree=$1 work=$2
shift 2
mount --rbind /proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount --bind "$work" "$tree/tmp"
exec chroot "$tree" "$@"
"""


def command(tree: Path, work: Path, words: Sequence[str]) -> list[str]:
    """What runs `words` in the tree of tools with the directory `work` as /tmp, which is also where it is."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    namespaces = ["unshare", *user, "--mount", "--propagation", "private"]
    inside = ["/bin/sh", "-c", f'cd {WORK} && exec "$@"', "sh", *words]
    return [*namespaces, "/bin/sh", "-c", ENTER, "sh", os.fspath(tree), os.fspath(work), *inside]


class Toolbox:
    """The tree of tools and the directory that is worked in."""

    def __init__(self, tree: Path, work: Path, built: int) -> None:
        """`built`: the time (seconds since 1970) that goes into what is made."""
        self.tree = tree
        self.work = work
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": WORK,
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(built),
        }

    def run(self, *words: str) -> str:
        """Run it and return what it printed, both streams in order. Raises UserError if it fails."""
        host = {**os.environ, **self._environment, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
        clean = ["env", "-i", *(f"{name}={value}" for name, value in self._environment.items()), *words]
        try:
            return run(command(self.tree, self.work, clean), environment=host, timeout=SECONDS)
        except CommandFailedError as error:
            raise UserError(f"{words[0]} failed: {error.last_line()}", f"it was: {shlex.join(words)}") from error
        except subprocess.TimeoutExpired as error:
            raise UserError(f"{words[0]} did not end in {SECONDS:.0f} s", "is the disk full or broken?") from error
