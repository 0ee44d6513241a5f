"""Unmounts a machine's file systems at its end: in reverse order of their mounting; what is busy can be detached.

Runs in a child of PID 1 with a time limit: a file system that hangs must not hang the shutdown. Pseudo file systems,
what is in memory and the root stay: they hold nothing that could be lost, and PID 1 stands on them.
"""

import os

from init import linux

KEPT_KINDS = frozenset(
    [
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "cgroup",
        "cgroup2",
        "securityfs",
        "debugfs",
        "tracefs",
        "bpf",
        "mqueue",
        "tmpfs",
        "ramfs",
        "rootfs",
    ]
)
ROUNDS = 3


def targets(mountinfo: str) -> tuple[str, ...]:
    """What is to be unmounted, last mounted first.

    A file system that is kept goes too where it stands on one that is not: a pod's volumes in memory hold the kubelet's
    directory. Fields (proc(5), mountinfo): the first is the mount, the second what it is mounted on, the fifth where.
    """
    found: dict[str, str] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        target = fields[4].encode("latin-1", "replace").decode("unicode_escape")
        if target != "/" and (after.split()[0] not in KEPT_KINDS or fields[1] in found):
            found[fields[0]] = target
    return tuple(reversed(found.values()))


def everything(*, detach: bool = False, mountinfo: str = "/proc/self/mountinfo") -> None:
    """Unmount all, in some rounds since one may hold another. Raises OSError naming the first that is left."""
    first: OSError | None = None
    for _ in range(ROUNDS):
        first = None
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            left = targets(file.read())
        for target in left:
            try:
                linux.umount2(target, linux.UMOUNT_NOFOLLOW | (linux.MNT_DETACH if detach else 0))
            except OSError as error:
                first = first or error
        if first is None:
            return
    os.sync()
    if first is not None:
        raise first
