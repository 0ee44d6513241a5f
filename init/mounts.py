"""The file systems of a running system, as values that are printed, compared and executed.

Every operation can be repeated: what is mounted already (by stage 0, or before a re-exec of PID 1) is left alone. The
root is read-only, so every mount point below it is part of the image; only those on /dev, /run and /sys are made here.
"""

import contextlib
import os
from typing import NamedTuple

from init import linux, modules
from init.contract import paths

MODPROBE_PATH = "/proc/sys/kernel/modprobe"
NO_PROGRAMS = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC


class Mount(NamedTuple):
    """Mount a file system, unless something is mounted there."""

    kind: str
    target: str
    flags: int = 0
    data: str = ""

    def execute(self, root: str = "") -> None:
        """Do it. Raises OSError."""
        with contextlib.suppress(OSError):  # it exists; or mount says better what is wrong
            os.mkdir(root + self.target, 0o755)
        if not os.path.ismount(root + self.target):
            linux.mount(self.kind, root + self.target, self.kind, self.flags, self.data)


class Propagate(NamedTuple):
    """Set how mounts below a mount point travel to other namespaces."""

    target: str
    flags: int

    def execute(self, root: str = "") -> None:
        """Do it. Raises OSError."""
        linux.mount("none", root + self.target, flags=self.flags)


class Link(NamedTuple):
    """Make a symbolic link, unless there is something."""

    target: str
    path: str

    def execute(self, root: str = "") -> None:
        """Do it. Raises OSError."""
        with contextlib.suppress(FileExistsError):
            os.symlink(self.target, root + self.path)


class Write(NamedTuple):
    """Write a line to a file of the kernel's."""

    text: str
    path: str

    def execute(self, root: str = "") -> None:
        """Do it. Raises OSError."""
        descriptor = os.open(root + self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{self.text}\n".encode())
        finally:
            os.close(descriptor)


class Directory(NamedTuple):
    """Make a directory of this mode, or give it the mode."""

    path: str
    mode: int

    def execute(self, root: str = "") -> None:
        """Do it. Raises OSError."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(root + self.path, self.mode)
        os.chmod(root + self.path, self.mode)


class Guard(NamedTuple):
    """Make what is there a mount of its own, read-only or, below one that is, writable again."""

    path: str
    writable: bool = False

    def execute(self, root: str = "") -> None:
        """Do it. Raises OSError."""
        path = root + self.path
        linux.mount(path, path, flags=linux.MS_BIND)
        read_only = 0 if self.writable else linux.MS_RDONLY
        linux.mount("none", path, flags=linux.MS_REMOUNT | linux.MS_BIND | NO_PROGRAMS | read_only)


Operation = Mount | Propagate | Link | Write | Directory | Guard

OPERATIONS: tuple[Operation, ...] = (
    # Bidirectional mounts (CSI, Cilium) need a shared root; what is mounted below a shared mount is shared too.
    Mount("proc", "/proc", NO_PROGRAMS),
    Propagate("/", linux.MS_SHARED | linux.MS_REC),
    Mount("sysfs", "/sys", NO_PROGRAMS),
    Mount("devtmpfs", "/dev", linux.MS_NOSUID, "mode=0755"),
    Mount("tmpfs", "/run", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755,size=25%"),
    Mount("tmpfs", "/tmp", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777"),
    Mount("devpts", "/dev/pts", linux.MS_NOSUID | linux.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"),
    Mount("tmpfs", "/dev/shm", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777"),
    # The first mount of bpf asks for the module bpf_preload, which shows maps and programs in it and takes a second to
    # verify them under emulation. Nothing reads that, so nothing can be loaded meanwhile.
    Write("", MODPROBE_PATH),
    Mount("bpf", "/sys/fs/bpf", NO_PROGRAMS, "mode=0700"),
    Write(modules.MODPROBE, MODPROBE_PATH),
    # memory_recursiveprot: memory.min of /hepto holds for its children without being set on each.
    Mount("cgroup2", paths.CGROUPS, NO_PROGRAMS, "nsdelegate,memory_recursiveprot"),
    Link("/proc/self/fd", "/dev/fd"),
    Link("/proc/self/fd/0", "/dev/stdin"),
    Link("/proc/self/fd/1", "/dev/stdout"),
    Link("/proc/self/fd/2", "/dev/stderr"),
    Directory(paths.RUN, 0o755),
    Directory(paths.ETC, 0o755),
    Directory(paths.VOLATILE_LOGS, 0o700),
    Directory(paths.CREDENTIALS, 0o700),
    Directory("/run/lock", 0o1777),
)  # fmt: skip

_OF_THE_MACHINE = ("/dev", "/run", MODPROBE_PATH)
"""Given to a container by its host, or the whole machine's."""
_SYSTEM, _NETWORK, _SYSRQ = "/proc/sys", "/proc/sys/net", "/proc/sysrq-trigger"

CONTAINER: tuple[Operation, ...] = (
    OPERATIONS[0],
    # Before anything is shared, or each would be mounted twice. Variables that are not of this network namespace are
    # the host's. The kubelet sets six of them, and does not start if it may not.
    Guard(_SYSTEM),
    Guard(_NETWORK, writable=True),
    *(Guard(f"{_SYSTEM}/{name}", writable=True) for name in paths.KUBELET_SYSCTLS),
    Guard(_SYSRQ),
    *(item for item in OPERATIONS[1:] if (item.path if isinstance(item, Write) else item[1]) not in _OF_THE_MACHINE),
)


def perform(operations: tuple[Operation, ...], root: str = "") -> list[str]:
    """Execute all; an operation that fails stops none of the others. Returns one sentence for each failure."""
    failures = []
    for operation in operations:
        try:
            operation.execute(root)
        except OSError as error:
            failures.append(f"{type(operation).__name__.lower()} {operation[0]} {operation[1]}: {error.strerror}")
    return failures
