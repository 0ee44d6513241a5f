"""Machine-wide sysctls, and what is set like them below /sys: what no single interface or service owns. Those of
interfaces, and forwarding, are the agent's.

A table, so that it can be read and compared. A name that the kernel does not have is no failure: it depends on modules.
"""

from typing import NamedTuple

PROC_SYS, SYS = "proc/sys", "sys"


class Sysctl(NamedTuple):
    name: str
    value: str
    below: str = PROC_SYS


TABLE: tuple[Sysctl, ...] = (
    # kubelet sets these six itself and complains when it may not (--protect-kernel-defaults): one value from the start.
    Sysctl("kernel/panic", "10"),
    Sysctl("kernel/panic_on_oops", "1"),
    Sysctl("kernel/keys/root_maxkeys", "1000000"),
    Sysctl("kernel/keys/root_maxbytes", "25000000"),
    Sysctl("vm/overcommit_memory", "1"),
    Sysctl("vm/panic_on_oom", "0"),
    # As on any distribution (sysctl.d of procps and systemd): the kernel's defaults are for older programs.
    Sysctl("fs/protected_hardlinks", "1"),
    Sysctl("fs/protected_symlinks", "1"),
    Sysctl("fs/protected_fifos", "1"),
    Sysctl("fs/protected_regular", "2"),
    Sysctl("kernel/pid_max", "4194304"),
    # Pods share the node's limits: the defaults (128 instances) are used up by a few dozen containers that watch files.
    Sysctl("fs/inotify/max_user_instances", "8192"),
    Sysctl("fs/inotify/max_user_watches", "1048576"),
    Sysctl("fs/aio-max-nr", "1048576"),
    Sysctl("vm/max_map_count", "262144"),
    # Debian's kernel gives every program pages of 2 MiB, which a garbage collector uses in parts: who wants them asks.
    Sysctl("kernel/mm/transparent_hugepage/enabled", "madvise", SYS),
)


def apply(table: tuple[Sysctl, ...] = TABLE, root: str = "") -> list[str]:
    """Set all. Returns one sentence for each that the kernel refused."""
    refused = []
    for sysctl in table:
        try:
            with open(f"{root}/{sysctl.below}/{sysctl.name}", "r+b", buffering=0) as file:
                file.write(sysctl.value.encode())
        except FileNotFoundError:
            pass
        except OSError as error:
            refused.append(f"{sysctl.name} = {sysctl.value}: {error.strerror}")
    return refused
