"""Looks at the host: what its kernel can do is tried, for modules load when they are asked for."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hepto.edge import namespaces, netlink, route
from hepto.host.checks import FEATURES, KUBERNETES, Facts
from hepto.host.groups import ROOT

NETLINK_NETFILTER: Final = 12
NFT_MSG_GETGEN: Final = 10 << 8 | 16
"""NFNL_SUBSYS_NFTABLES and its message (linux/netfilter/nf_tables.h)."""
_NFGENMSG: Final = struct.Struct("=BBH")
MODPROBE_SECONDS: Final = 60.0


def look(proc: Path = Path("/proc")) -> Facts:
    """All that hepto.host.checks wants to know. Tries the kernel's features as root only."""
    root = os.geteuid() == 0
    return Facts(
        root=root,
        release=os.uname().release,
        ipv6=(proc / "net/if_inet6").exists(),
        cgroup2=any(line.split()[1:3] == [str(ROOT), "cgroup2"] for line in _lines(proc / "self/mounts")),
        controllers=frozenset(" ".join(_lines(ROOT / "cgroup.controllers")).split()),
        features=frozenset(name for name, trial in TRIALS.items() if root and _succeeds(name, trial)),
        others=others(proc),
    )


def others(proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Processes of another Kubernetes that are this host's own, and not in a container (of ours, say)."""
    found = set()
    own = _namespace(proc / "self")
    for path in proc.iterdir():
        name = "".join(_lines(path / "comm")[:1]) if path.name.isdigit() else ""
        if name in KUBERNETES and _namespace(path) == own:
            found.add(name)
    return tuple(sorted(found))


def _namespace(process: Path) -> str:
    with contextlib.suppress(OSError):
        return str((process / "ns/pid").readlink())
    return ""


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").splitlines()
    return []


def _succeeds(module: str, trial: Callable[[], None]) -> bool:
    """In a process of its own: a trial may leave namespaces behind. After a failure once more with the module."""
    if _forked(trial):
        return True
    modprobe = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if modprobe is None:
        return False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run([modprobe, "-q", module], check=False, timeout=MODPROBE_SECONDS, stderr=subprocess.DEVNULL)
    return _forked(trial)


def _forked(trial: Callable[[], None]) -> bool:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            trial()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _wireguard() -> None:
    namespaces.unshare(namespaces.NEW_NETWORK)
    with netlink.Netlink(netlink.NETLINK_ROUTE) as kernel:
        route.add_link(kernel, "wg0", "wireguard", 1420)


def _nftables() -> None:
    namespaces.unshare(namespaces.NEW_NETWORK)
    with netlink.Netlink(NETLINK_NETFILTER) as kernel:
        kernel.get("nftables", NFT_MSG_GETGEN, _NFGENMSG.pack(socket.AF_UNSPEC, 0, 0))


def _file_system(name: str) -> Callable[[], None]:
    def trial() -> None:
        if not any(line.split()[-1] == name for line in _lines(Path("/proc/filesystems"))):
            raise OSError(name)

    return trial


def _loop() -> None:
    os.close(os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC))


TRIALS: Final[dict[str, Callable[[], None]]] = {
    "wireguard": _wireguard,
    "nftables": _nftables,
    "overlay": _file_system("overlay"),
    "erofs": _file_system("erofs"),
    "loop": _loop,
}
assert TRIALS.keys() == FEATURES.keys()
