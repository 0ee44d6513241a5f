"""kube-proxy in nftables mode: NodePorts on every address of the node, so a renumbered underlay restarts nothing."""

from hepto.address import AddressPlan
from hepto.kube import kubeconfig, memory
from hepto.kube.files import File, KubePlan, json_file, restart_key
from hepto.kube.parameters import KubeParameters, Proxy, rendered
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service

NAME = "kube-proxy"
CONFIG = rendered("kube-proxy.json")
HEALTH_PORT = 10256
METRICS_PORT = 10249


def plan(parameters: KubeParameters) -> KubePlan:
    """Started when the Node object has its address: else it waits 30 s for it, or exits when it comes later."""
    if parameters.proxy is Proxy.NONE:
        return KubePlan()
    file = configuration(parameters)
    service = Service(
        argv=(f"{paths.STACK}/kube-proxy", "--config", CONFIG, "--hostname-override", parameters.node),
        env=memory.environment(NAME),
        after=("kubelet",),
        ready=Ready(ReadyKind.AGENT),
        limits=memory.limits(NAME),
        oom_score_adj=memory.NEEDS[NAME].oom,
        restart_key=restart_key(file),
    )
    files = (file, kubeconfig.client(parameters, NAME, "kube-proxy"))
    return KubePlan(files=files, services={NAME: service})


def configuration(parameters: KubeParameters) -> File:
    """KubeProxyConfiguration."""
    config = {
        **common(parameters.plan),
        "bindAddress": str(parameters.address),
        "clientConnection": {"kubeconfig": kubeconfig.path(NAME)},
    }
    return json_file(CONFIG, config)


def common(plan: AddressPlan) -> dict[str, object]:
    """What is the same on every node, and for a kube-proxy that the user deploys."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": str(plan.pods),
        "healthzBindAddress": f"[::1]:{HEALTH_PORT}",
        "metricsBindAddress": f"[::1]:{METRICS_PORT}",
        "nodePortAddresses": ["::/0"],
        # The limits of the kernel's connection tracking are the machine's, not kube-proxy's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
