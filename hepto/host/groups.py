"""The control groups of one node, below one that is its own: the keeper's, and the node's, which is delegated to it.

hepto-NAME[.scope]/keeper      the keeper; a group with processes in it can give its children no controllers
hepto-NAME[.scope]/node        the root of the node's control group namespace
"""

import contextlib
import os
import select
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "memory", "pids", "io", "cpuset")
SYSTEMD = Path("/run/systemd/system")
"""There if systemd is the host's PID 1 (sd_booted(3))."""
POLL, PATIENCE = 0.02, 20.0


def scope(name: str) -> tuple[str, ...]:
    """The words before a command that give it a unit of systemd with a control group to do with as it likes.

    By its private socket: needs no D-Bus.
    """
    words = ("systemd-run", "--scope", "--quiet", "--collect", "--property=Delegate=yes")
    return (*words, f"--unit=hepto-{name}", f"--description=hepto node {name}", "--")


def base(name: str, *, scoped: bool, root: Path = ROOT, own: Path = Path("/proc/self/cgroup")) -> Path:
    """The group that is the node's own: that of this process in a scope, else one directly below the root."""
    if not scoped:
        return root / f"hepto-{name}"
    paths = [line.removeprefix("0::") for line in own.read_text().splitlines() if line.startswith("0::")]
    return root / paths[0].strip("/")


class Groups:
    """See the module's docstring. Everything raises OSError."""

    def __init__(self, directory: Path):
        self.base = directory
        self.keeper = directory / "keeper"
        self.node = directory / "node"

    def prepare(self) -> None:
        """Make the groups, go into the keeper's, and hand controllers down."""
        self.base.mkdir(exist_ok=True)
        self.keeper.mkdir(exist_ok=True)
        (self.keeper / "cgroup.procs").write_text(str(os.getpid()))
        for group in (self.base.parent, self.base):
            for controller in CONTROLLERS:
                with contextlib.suppress(OSError):  # the kernel may lack it, systemd has given it
                    (group / "cgroup.subtree_control").write_text(f"+{controller}")
        self.renew()

    def renew(self) -> None:
        """An empty group for the node's next boot."""
        _remove(self.node)
        self.node.mkdir(exist_ok=True)

    def remove(self) -> None:
        """End what runs in any of them, and remove them. For whoever finds them when the keeper is gone."""
        _end(self.base)

    def leave(self, root: Path = ROOT) -> None:
        """The same for the keeper itself, when its node has ended. In a scope systemd removes the rest after it."""
        _end(self.node)
        with contextlib.suppress(OSError):
            (root / "cgroup.procs").write_text(str(os.getpid()))
        if not _populated(self.base):
            _remove(self.base)


def _end(group: Path) -> None:
    if _populated(group):
        (group / "cgroup.kill").write_text("1")
    for _ in range(int(PATIENCE / POLL)):
        if not _populated(group):
            break
        select.select([], [], [], POLL)
    _remove(group)


def _populated(group: Path) -> bool:
    with contextlib.suppress(OSError):
        return "populated 1" in (group / "cgroup.events").read_text()
    return False


def _remove(group: Path) -> None:
    for directory, _directories, _files in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(directory).rmdir()
