"""All of Kubernetes on one node, by its role."""

from functools import reduce
from operator import add

from hepto.kube import apiserver, cni, containerd, controller_manager, coredns, etcd, images, kubelet, proxy, scheduler
from hepto.kube.files import Directory, KubePlan
from hepto.kube.parameters import KubeParameters
from init.contract import paths

MASTER = (etcd.plan, apiserver.plan, controller_manager.plan, scheduler.plan)
CLIENTS = frozenset({kubelet.NAME, proxy.NAME, coredns.NAME})
"""What can do nothing on a node without an apiserver that answers."""
WORKER = (containerd.plan, images.plan, cni.plan, kubelet.plan, proxy.plan, coredns.plan)


def plan(parameters: KubeParameters) -> KubePlan:
    """What this node runs. Idempotent: equal parameters give an equal plan."""
    parts = (*(MASTER if parameters.master else ()), *(WORKER if parameters.worker else ()))
    return reduce(add, (part(parameters) for part in parts), KubePlan(directories=(Directory(paths.KUBE),)))
