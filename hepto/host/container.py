"""The way from a new process in new namespaces to PID 1 of a node: its root, its devices, its credentials, exec.

Runs between the keeper's clone and exec. Promises: all mounts are in this process's own mount namespace, and nothing of
the host's stays mounted in it but the node's data directory and its console.
"""

import os
import signal
import stat
from pathlib import Path
from typing import Final, NoReturn

import prctl

from hepto.edge import loop, namespaces
from hepto.host.place import Place
from hepto.host.plan import Credentials, Plan
from init import linux
from init.contract import durable, paths

KINDS: Final = (
    namespaces.NEW_PIDS | namespaces.NEW_MOUNTS | namespaces.NEW_NETWORK | namespaces.NEW_UTS | namespaces.NEW_IPC
)
"""At the fork. The namespace of control groups is made inside: it begins at the group that its maker is in."""
DEVICES: Final = (
    ("null", 1, 3, 0o666),
    ("zero", 1, 5, 0o666),
    ("full", 1, 7, 0o666),
    ("random", 1, 8, 0o666),
    ("urandom", 1, 9, 0o666),
    ("kmsg", 1, 11, 0o600),
    ("tty", 5, 0, 0o666),
    ("fuse", 10, 229, 0o666),
    ("net/tun", 10, 200, 0o666),
)
"""Documentation/admin-guide/devices.txt. A devtmpfs would be the host's."""
LINKS: Final = {"ptmx": "pts/ptmx"}
TAKEN_AWAY: Final = ("CAP_SYS_TIME", "CAP_SYS_MODULE", "CAP_WAKE_ALARM")
"""The clock and the kernel's modules are the host's, and the agent leaves them alone if it has to."""
PROGRAM: Final = (paths.PYTHON, "-I", "-S", paths.PROGRAM, "container")
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin", "TERM": "linux"}
GO: Final = b"1"
LONGEST_ERROR: Final = 2048


class Process:
    """A new process that will be a node's PID 1 when GO is written to `go`; `error` tells why if it could not."""

    def __init__(self, pid: int, go: int, error: int):
        self.pid, self.go, self.error = pid, go, error
        self.handle = os.pidfd_open(pid)
        """Readable when it has ended."""
        self._reaped = False

    def reap(self) -> int:
        """Its status, as waitpid(2) has it. It has ended."""
        self._reaped = True
        return os.waitpid(self.pid, 0)[1]

    def kill(self) -> None:
        """At once, and with it all of the node."""
        if not self._reaped:
            os.kill(self.pid, signal.SIGKILL)
            self.reap()

    def close(self) -> None:
        """Let go of its descriptors."""
        for descriptor in (self.go, self.error, self.handle):
            os.close(descriptor)


def start(plan: Plan, place: Place, group: str) -> Process:
    """A process in namespaces of its own, in that control group. Raises OSError."""
    (wait, go), (error, tell) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    pid = linux.fork_into(directory, KINDS)
    if pid:
        for descriptor in (wait, tell, directory):
            os.close(descriptor)
        return Process(pid, go, error)
    try:  # the child has no way out of here but exec or _exit
        os.close(go)
        become(plan, place, wait)
    except BaseException as failure:  # noqa: BLE001
        os.write(tell, f"{type(failure).__name__}: {failure}".encode()[:LONGEST_ERROR])
    finally:
        os._exit(127)


def become(plan: Plan, place: Place, go: int) -> NoReturn:
    """Wait until the keeper says so on `go`, and be the node. Raises OSError."""
    prctl.set_pdeathsig(signal.SIGKILL)
    if os.read(go, 1) != GO:  # the keeper is gone
        os._exit(1)
    os.umask(0)
    namespaces.unshare(namespaces.NEW_CGROUPS)
    linux.mount("none", "/", flags=linux.MS_PRIVATE | linux.MS_REC)
    fill(plan, place)
    enter(place.root)
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    linux.drop_bounding(frozenset(linux.CAPABILITIES.values()) - {linux.CAPABILITIES[name] for name in TAKEN_AWAY})
    os.umask(0o022)
    for number in linux.PERHAPS_IGNORED:
        signal.signal(number, signal.SIG_DFL)  # what is ignored stays so over exec, and never reaches a signalfd
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execve(PROGRAM[0], PROGRAM, ENVIRONMENT)


def fill(plan: Plan, place: Place) -> None:
    """Mount the node's root at `place.root`, with what the node is given in it."""
    root = str(place.root)
    place.root.mkdir(exist_ok=True)
    with loop.attached(plan.image) as device:
        linux.mount(device, root, "erofs", linux.MS_RDONLY)
    devices(place.root / "dev")
    linux.mount(str(place.console), f"{root}/dev/console", flags=linux.MS_BIND)
    linux.mount("tmpfs", f"{root}/run", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755,size=25%")
    write_credentials(plan.credentials, root)
    linux.mount("tmpfs", f"{root}{paths.DATA}", "tmpfs", linux.MS_NOATIME, "mode=0700,size=1m")
    inside = f"{root}{paths.DATA}/{plan.cluster}/{plan.name}"
    Path(inside).mkdir(parents=True, mode=0o700)
    linux.mount(plan.data, inside, flags=linux.MS_BIND)


def devices(directory: Path) -> None:
    """A /dev of the node's own."""
    linux.mount("tmpfs", str(directory), "tmpfs", linux.MS_NOSUID, "mode=0755,size=1m")
    for name, major, minor, mode in DEVICES:
        (directory / name).parent.mkdir(exist_ok=True)
        os.mknod(directory / name, stat.S_IFCHR | mode, os.makedev(major, minor))
    for name, target in LINKS.items():
        (directory / name).symlink_to(target)
    (directory / "console").touch(0o600)


def write_credentials(credentials: Credentials, root: str) -> None:
    """The files that the agent takes for its whole configuration."""
    for directory in (paths.CREDENTIALS, *(f"{paths.CREDENTIALS}/{source}" for source in paths.HOST_SOURCES)):
        durable.make_directory(root + directory, 0o700, exact=True, sync=False)
    for source, files in credentials.items():
        for name, value in files.items():
            durable.write(f"{root}{paths.CREDENTIALS}/{source}/{name}", value, 0o400, sync=False)


def enter(root: Path) -> None:
    """Make it the root, and let go of the one before."""
    os.chdir(root)
    namespaces.pivot_root(".", ".")  # the old root lies above the new one now (pivot_root(2), NOTES)
    linux.umount2(".", linux.MNT_DETACH)
    os.chdir("/")
