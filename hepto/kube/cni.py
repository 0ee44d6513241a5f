"""The native network plugin: a list of ptp, host-local and portmap. Nothing to deploy.

ptp gives each pod a link of its own: no shared layer 2 between pods, no bridge netfilter, no hairpin mode. Leases are
volatile: a reboot frees every address, as it ends every pod. The directory lies in the data directory: with `cni=none`
a user's plugin writes its own list there, and ours goes.
"""

from hepto.kube.containerd import CNI_CONFIGURATIONS
from hepto.kube.files import KubePlan, json_file
from hepto.kube.parameters import MIN_MTU, Cni, KubeParameters

LIST = f"{CNI_CONFIGURATIONS}/10-hepto.conflist"
LEASES = "/run/cni"


def plan(parameters: KubeParameters) -> KubePlan:
    """The list for `native`, its absence for `none`."""
    if parameters.cni is Cni.NONE:
        return KubePlan(absent=(LIST,))
    return KubePlan(files=(json_file(LIST, _list(parameters)),))


def _list(parameters: KubeParameters) -> dict[str, object]:
    point_to_point = {
        "type": "ptp",
        "mtu": max(parameters.mtu, MIN_MTU),
        "ipMasq": False,  # table `inet hepto` masquerades what leaves the cluster's /48
        "ipam": {
            "type": "host-local",
            "dataDir": LEASES,
            "ranges": [[{"subnet": str(parameters.pods)}]],
            "routes": [{"dst": "::/0"}],
        },
    }
    ports = {"type": "portmap", "backend": "nftables", "snat": True, "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "hepto", "plugins": [point_to_point, ports]}
