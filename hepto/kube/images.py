"""Imports the images that are baked into the root (pause, test): a node becomes Ready with no registry in reach.

A one-shot that runs at each boot: importing what is there already costs a few hundred milliseconds, and a marker could
outlive the image it stands for. Pods that come earlier retry by themselves.
"""

from hepto.kube import memory
from hepto.kube.containerd import SOCKET
from hepto.kube.files import KubePlan
from hepto.kube.parameters import KubeParameters
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Restart, Service, Type, When

PINNED = "io.cri-containerd.pinned=pinned"
"""Kubelet's garbage collection leaves an image alone that has this label."""


def plan(parameters: KubeParameters) -> KubePlan:
    """Another archive (its digest is the restart key) is imported again."""
    # fmt: off
    argv = (
        f"{paths.STACK}/ctr", "--address", SOCKET, "--namespace", "k8s.io",
        "images", "import", "--label", PINNED, paths.IMAGES,
    )
    # fmt: on
    service = Service(
        argv=argv,
        type=Type.ONESHOT,
        env=memory.environment("images"),
        after=("containerd",),
        ready=Ready(ReadyKind.EXIT),
        restart=Restart(When.FAILURE),
        restart_key=parameters.images_digest,
    )
    return KubePlan(services={"images": service})
