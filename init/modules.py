"""Kernel modules: those of the devices that are there (by their modalias), those of devices that come, and a few
always.

There is no udev: devtmpfs makes the device nodes, and this is all that is left of its work. modprobe itself knows which
module fits an alias, and blacklists; most other modules (file systems, nftables expressions, kinds of links) the kernel
asks for.
"""

import os
from collections.abc import Iterable, Mapping

BUSES = "/sys/bus"
PASSED_OVER = ("cpu:",)
"""The processor's own aliases ask for KVM and for every accelerated cipher: seconds of self-tests in an emulator, for
things that nothing of ours uses. The kernel asks for ciphers by name when it needs them; `init.modules=kvm-amd` loads
the rest.
"""
MODPROBE = "/usr/sbin/modprobe"
MODULES = "/lib/modules"
MAX_ALIASES = 4096

EARLY = ("qemu_fw_cfg",)
"""Loaded with the devices' modules; credentials lie behind it. It has an ACPI alias, but not on every machine type."""

SOON = ("nf_tables", "nft_ct", "nft_chain_nat", "nft_masq", "wireguard")
"""What the agent asks for first, loaded beside its start: one by one on demand they would cost it a process each."""

LATER = ("overlay", "veth", "nft_fib_inet", "nft_reject_inet", "nft_numgen", "br_netfilter")
"""What containerd, kube-proxy and CNI plugins ask for. Only br_netfilter has to be named, for bridging plugins of the
user; all else the kernel loads by itself when asked for what it does. So they are loaded with what is left of the
processor's time.
"""


def aliases(root: str = "") -> tuple[str, ...]:
    """The modaliases of all devices on all buses, each once, sorted.

    The buses' flat lists hold the same devices as the tree below /sys/devices, and are read in a tenth of the time.
    """
    found: set[str] = set()
    for bus in _list(root + BUSES):
        devices = f"{root}{BUSES}/{bus}/devices"
        for device in _list(devices):
            found.add(_read(f"{devices}/{device}/modalias"))
    return _wanted(found)


def aliases_of(events: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """The modaliases of devices that have come."""
    return _wanted({event.get("MODALIAS", "") for event in events if event.get("ACTION") == "add"})


def command(names: Iterable[str]) -> tuple[str, ...]:
    """The one command line that loads all of these; what has no module is passed over in silence."""
    return (MODPROBE, "--all", "--use-blacklist", "--quiet", "--", *names)


def load_later() -> None:
    """Become the command that loads LATER, at the lowest priority. In a child."""
    os.nice(19)
    os.execv(MODPROBE, command(LATER))


def available(root: str = "") -> bool:
    """True where modules of the running kernel are installed (not in a container)."""
    return os.path.isdir(f"{root}{MODULES}/{os.uname().release}")


def ordered(names: str) -> tuple[str, ...]:
    """The modules that `init.modules=a,b` names."""
    return tuple(name for name in names.split(",") if name)


def _wanted(found: set[str]) -> tuple[str, ...]:
    return tuple(sorted(alias for alias in found if alias and not alias.startswith(PASSED_OVER)))[:MAX_ALIASES]


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode("ascii", "replace").strip()
    except OSError:
        return ""
