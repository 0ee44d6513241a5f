"""The control groups of PID 1 and its services: make, fill, limit, empty, remove. The truth about what runs.

Promises: every call is quick (writes to cgroupfs, never a wait); what a kernel or a private mount does not offer (a
controller that is not there) is left out, not an error. Membership is read anew each time; only the limits last set are
remembered.
"""

import errno
import os
import signal

from init import linux
from init.contract import paths
from init.contract.service import Limits

CONTROLLERS = ("cpu", "memory", "pids", "io", "cpuset")
FILES = {
    "memory_min": "memory.min",
    "memory_high": "memory.high",
    "memory_max": "memory.max",
    "pids_max": "pids.max",
    "cpu_weight": "cpu.weight",
}
DEFAULTS = {"memory.min": "0", "memory.high": "max", "memory.max": "max", "pids.max": "max", "cpu.weight": "100"}
GONE = (errno.ENOENT, errno.ENODEV)
"""There is no such group, or it was removed while it was read."""
SHIM_SCORE = -998
"""oom_score_adj of a shim (boot.md section 3): with it die all containers of its pod."""


class Cgroups:
    """The tree below `root`, where cgroup2 is mounted. Without one, services run ungrouped and only by their pid."""

    def __init__(self, root: str = paths.CGROUPS):
        self._root = root
        self._limits: dict[str, Limits] = {}

    @property
    def available(self) -> bool:
        """True when there is a cgroup2 file system."""
        return os.path.exists(f"{self._root}/cgroup.procs")

    def _path(self, fixed: str) -> str:
        return self._root + fixed.removeprefix(paths.CGROUPS)

    def service(self, name: str) -> str:
        """The group of a service."""
        return f"{self._path(paths.CGROUP_SERVICES)}/{name}"

    @property
    def init(self) -> str:
        """PID 1's own group."""
        return self._path(paths.CGROUP_INIT)

    @property
    def shims(self) -> str:
        """Where containerd puts its shims."""
        return self._path(paths.CGROUP_SHIMS)

    @property
    def pods(self) -> str:
        """Where the kubelet puts pods."""
        return self._path(paths.CGROUP_PODS)

    def prepare(self) -> None:
        """Make the fixed groups, move PID 1 into its own (else no controller can be enabled) and enable controllers."""
        for group in (self.init, self._path(paths.CGROUP_SERVICES), self.shims):
            os.makedirs(group, exist_ok=True)
        write(f"{self.init}/cgroup.procs", "0")
        for group in (self._root, self._path(paths.CGROUP_SERVICES)):
            for controller in CONTROLLERS:
                try_write(f"{group}/cgroup.subtree_control", f"+{controller}")

    def make(self, name: str, limits: Limits) -> str:
        """The service's group, with its limits, ready for a start; returns its path.

        It is made anew for each start. Linux kills whatever is forked into a group in which `cgroup.kill` was used ever
        after: a fork compares the group's number of kills with that of its parent's group (kernel/cgroup/cgroup.c,
        kill_seq; seen with 6.18, and stable kernels have that code). And so what the group has counted, its highest use
        of memory and who was killed for want of it, is of one life. One that is not empty (scope `process`) stays.
        """
        group = self.service(name)
        self.remove(name)
        os.makedirs(group, exist_ok=True)
        self.limit(name, limits)
        return group

    def kill(self, name: str) -> None:
        """SIGKILL to everything in a service's group."""
        kill(self.service(name))

    def limit(self, name: str, limits: Limits) -> list[str]:
        """Apply limits to a group that exists, live. Returns what the kernel refused."""
        group = self.service(name)
        refused = []
        for field, file in FILES.items():
            value = getattr(limits, field)
            wanted = DEFAULTS[file] if value is None else str(value)
            path = f"{group}/{file}"
            if os.path.exists(path) and read(path).strip() != wanted and not try_write(path, wanted):
                refused.append(f"{file}={wanted}")
        self._limits[name] = limits
        total = sum(known.memory_min or 0 for known in self._limits.values())
        # A child's memory.min counts only up to its parent's (cgroup-v2.rst, "memory.min").
        try_write(f"{self._path(paths.CGROUP_SERVICES)}/memory.min", str(total))
        return refused

    def remove(self, name: str) -> None:
        """Remove a service's empty group."""
        self._limits.pop(name, None)
        group = self.service(name)
        for directory, _directories, _files in os.walk(group, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                return

    def spare_shims(self) -> None:
        """Give containerd's shims their oom_score_adj.

        containerd gives each its own plus one and has no option for it (2.4, pkg/shim, AdjustOOMScore). Only children
        of ours are shims: whatever else is in that group is a runtime at work, or a container that is on its way to its
        pod's group and has its pod's score already. None can become a stranger meanwhile, for it is ours to reap.
        """
        for pid in members(self.shims):
            process = linux.process(pid)
            path = f"/proc/{pid}/oom_score_adj"
            if process is not None and process.parent == os.getpid():
                try:
                    if read(path).strip() != str(SHIM_SCORE):
                        write(path, str(SHIM_SCORE))
                except OSError:
                    pass  # it has ended; or, in a container, that is not for us to set

    def services(self) -> list[str]:
        """The names of all groups of services (shims have one too)."""
        try:
            return sorted(entry.name for entry in os.scandir(self._path(paths.CGROUP_SERVICES)) if entry.is_dir())
        except FileNotFoundError:
            return []


def read(path: str) -> str:
    """A control file's content, up to 64 KiB at a time: `open` would cost five system calls more."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while part := os.read(descriptor, 65536):
            data += part
        return data.decode("ascii", "replace")
    finally:
        os.close(descriptor)


def write(path: str, text: str) -> None:
    """Write to a control file: one write(2), since cgroupfs and procfs take each as an order."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def try_write(path: str, text: str) -> bool:
    """Like `write`; False where the kernel has no such thing."""
    try:
        write(path, text)
    except OSError:
        return False
    return True


def members(group: str) -> list[int]:
    """The processes in a group itself, [] if there is no such group. Raises OSError when that cannot be known."""
    try:
        return [int(line) for line in read(f"{group}/cgroup.procs").split()]
    except OSError as error:
        if error.errno not in GONE:
            raise
        return []


def populated(group: str) -> bool:
    """True if a live process is in the group or below it. Raises OSError when that cannot be known: a group taken for
    empty is started into, and what runs there runs twice."""
    try:
        return "populated 1" in read(f"{group}/cgroup.events")
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False


def all_members(group: str) -> list[int]:
    """The processes in a group and all groups below it. Raises OSError when that cannot be known."""

    def unknown(error: OSError) -> None:
        if error.errno not in GONE:
            raise error

    walk = os.walk(group, onerror=unknown)
    return [pid for directory, _directories, _files in walk for pid in members(directory)]


def memory_peak(group: str) -> int | None:
    """The most bytes that were in use at once; None where the kernel does not say (before 5.19, or no controller)."""
    try:
        return int(read(f"{group}/memory.peak"))
    except (OSError, ValueError):
        return None


def memory_kills(group: str) -> int:
    """How many processes of a group the kernel has killed for want of memory, that of the group or all."""
    try:
        counts = dict(line.split() for line in read(f"{group}/memory.events").splitlines())
        return int(counts.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def send(group: str, number: int) -> int:
    """Send a signal to everything in a group and below; returns to how many."""
    sent = 0
    for pid in all_members(group):
        try:
            os.kill(pid, number)
            sent += 1
        except ProcessLookupError:
            pass
    return sent


def kill(group: str) -> None:
    """SIGKILL to everything in a group and below, at once (cgroup.kill: no fork can escape)."""
    if not try_write(f"{group}/cgroup.kill", "1"):
        send(group, signal.SIGKILL)


def main_process(group: str, parent: int, started: int | None, proc: str = "/proc") -> linux.Process | None:
    """The process of a group that the spawner started: our child, leading its own session.

    `started` is its start time if that is known; else the eldest is taken, since whatever it forked is younger.
    """
    leaders: list[linux.Process] = []
    for pid in members(group):
        process = linux.process(pid, proc)
        if process and process.parent == parent and process.session == pid and process.state != "Z":
            leaders.append(process)
    exact = [process for process in leaders if process.started == started]
    return min(exact or leaders, key=_age) if leaders else None


def _age(process: linux.Process) -> tuple[int, int]:
    return process.started, process.pid
