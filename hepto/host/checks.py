"""What a host must have, as a pure function from what was found to what is missing and how to get it."""

import re
from dataclasses import dataclass
from typing import Final

from hepto.errors import ExitCode, UserError

LEAST: Final = (5, 19)
CONTROLLERS: Final = ("cpu", "memory", "pids")
KUBERNETES: Final = ("kubelet", "kubelite", "k3s-server", "k3s-agent", "k3s", "k0s", "rke2")
"""What the processes of other Kubernetes are called (/proc/PID/comm)."""


@dataclass(frozen=True)
class Facts:
    """What there is on a host."""

    root: bool
    release: str
    """As uname -r has it."""
    ipv6: bool
    cgroup2: bool
    """It is mounted at /sys/fs/cgroup, and is the only kind."""
    controllers: frozenset[str]
    features: frozenset[str]
    """Of FEATURES, those that answered when they were tried."""
    others: tuple[str, ...] = ()
    """Processes of another Kubernetes."""


FEATURES: Final = {
    "wireguard": "WireGuard",
    "nftables": "nftables",
    "overlay": "the overlay file system",
    "erofs": "the file system EROFS",
    "loop": "loop devices",
}
"""By the name of the module that brings it."""


def mistakes(facts: Facts) -> tuple[tuple[str, str], ...]:
    """What is wrong and what to do, the first thing first; () if a node can run."""
    if not facts.root:
        return (("hepto start needs root: it makes namespaces, mounts and an interface", "run it with sudo"),)
    found = []
    version = _version(facts.release)
    if version < LEAST:
        wanted = ".".join(map(str, LEAST))
        found.append(
            (f"the kernel is {facts.release}, and hepto needs {wanted}", "install a newer kernel (Debian 12 has 6.1)")
        )
    if not facts.ipv6:
        what = "this host has no IPv6, and a hepto cluster has nothing else"
        found.append((what, "remove ipv6.disable=1 from the kernel command line and reboot"))
    if not facts.cgroup2:
        hint = "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 at /sys/fs/cgroup and nothing else"
        found.append(("control groups are of version 1 here, and the kubelet needs version 2", hint))
    elif lacking := [name for name in CONTROLLERS if name not in facts.controllers]:
        what = f"the kernel has no control group controller {', '.join(lacking)}"
        found.append((what, "remove cgroup_disable= from the kernel command line and reboot"))
    for module, name in FEATURES.items():
        if module not in facts.features:
            hint = f"modprobe {module}; if there is no such module, install your distribution's full kernel"
            found.append((f"the kernel has not got {name}", hint))
    if facts.others:
        what = f"another Kubernetes runs on this host ({', '.join(facts.others)})"
        found.append((what, "both would set the kernel's variables for themselves: stop it, or take another host"))
    return tuple(found)


def require(facts: Facts) -> None:
    """Raises UserError with all that is missing, two lines each."""
    if found := mistakes(facts):
        lines = [line for mistake in found for line in mistake]
        raise UserError("\n".join(lines[:-1]), lines[-1], ExitCode.REFUSED)


def _version(release: str) -> tuple[int, ...]:
    match = re.match(r"(\d+)\.(\d+)", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)
