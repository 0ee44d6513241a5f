"""What each process of the stack may use, in one place: environment, kept memory and order of death.

The garbage collector's target is a trade of memory for processor time, measured with bench/; change it here only.
GOMAXPROCS is never limited: start-up is parallel.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from init.contract.service import Limits

MEBIBYTE = 1024 * 1024
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Need:
    keep: int
    """MiB that workloads cannot push out (memory.min)."""
    gogc: int = 40
    """Growth of the heap in percent before a collection. The apiserver's start takes 1.9 s of a processor with 100, 2.5
    with 50, 2.6 with 40 and 2.9 with 30; its memory at rest is 255, 205, 190 and 180 MiB. A boot waits for it. All
    services at rest: 636 MiB with 100, 543 with 40."""
    oom: int = -800
    """oom_score_adj: who dies first when the machine has no memory left."""
    files: int = 65536
    """RLIMIT_NOFILE."""
    weight: int | None = None
    """cpu.weight; None is the kernel's 100. At the start everything waits for the apiserver."""


NEEDS: Mapping[str, Need] = {
    "etcd": Need(keep=48, oom=-900, weight=400),
    "kube-apiserver": Need(keep=192, weight=400),
    "kube-controller-manager": Need(keep=40),
    "kube-scheduler": Need(keep=32),
    "containerd": Need(keep=40, oom=-900, files=1048576),
    "kubelet": Need(keep=48, files=1048576),
    "kube-proxy": Need(keep=24),
    "coredns": Need(keep=24),
    "images": Need(keep=0),
}


def environment(service: str) -> dict[str, str]:
    """The environment of a process."""
    return {"PATH": PATH, "GOGC": str(NEEDS[service].gogc)}


def limits(service: str) -> Limits:
    """The control group of a process."""
    need = NEEDS[service]
    return Limits(memory_min=need.keep * MEBIBYTE or None, cpu_weight=need.weight, nofile=need.files)
