"""Gives the read-only root its writable places: bind mounts from the node's data directory (boot.md section 4).

Runs in a one-shot child of PID 1 when the agent has named the directory (control verb `mounts`). Repeating it changes
nothing; a second, different directory is refused, because services already write to the first.
"""

import contextlib
import os

from init import linux
from init.contract import durable, paths

PRIVATE = 0o700
MODES = {
    "kubelet": 0o711,
    "containerd": 0o711,
    "log": 0o755,
    "cni/bin": 0o755,
    "cni/net.d": 0o755,
    "cni/state": 0o755,
    "cni/calico": 0o755,
}
"""Modes of what others than root pass through or read; nothing below the node's directory, itself 0700, is reached
otherwise."""


def bind(directory: str, root: str = "") -> None:
    """Make the subdirectories of `directory` and bind each over its fixed path, then name it to the logger.

    Raises OSError with the path in it, ValueError for a directory that is not below the data file system or not the one
    of before.
    """
    _check(directory, root)
    durable.make_directory(root + directory, PRIVATE, exact=True)
    for below, fixed in paths.WRITABLE:
        source, target = f"{root}{directory}/{below}", root + fixed
        durable.make_directory(source, MODES.get(below, PRIVATE), exact=True, sync=False)
        if not os.path.samefile(source, target):
            _bind(source, target)
    durable.symlink(directory, f"{root}{paths.NODE}", sync=False)


def _check(directory: str, root: str) -> None:
    if os.path.normpath(directory) != directory or not directory.startswith("/") or directory == "/":
        raise ValueError(f"{directory!r} is not a plain absolute path")
    link = f"{root}{paths.NODE}"
    with contextlib.suppress(FileNotFoundError):
        before = os.readlink(link)
        if before != directory:
            raise ValueError(f"the node's directory is {before} already; a change to {directory} needs a reboot")


def _bind(source: str, target: str) -> None:
    linux.mount(source, target, flags=linux.MS_BIND)
    # A bind mount joins the peer group of where it comes from: each volume that kubelet mounts would appear below the
    # data directory again. So it gets a group of its own, shared because CSI drivers want that.
    linux.mount("none", target, flags=linux.MS_PRIVATE)
    linux.mount("none", target, flags=linux.MS_SHARED)
