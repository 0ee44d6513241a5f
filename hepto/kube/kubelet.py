"""kubelet: on the mesh address, health on ::1, certificates by file, pods in /kubepods, itself where PID 1 puts it.

It may start before the apiserver answers: registration retries by itself. It exits when containerd's socket is not
there. Graceful node shutdown is PID 1's (kubelet's own needs logind).
"""

from hepto.kube import kubeconfig, memory
from hepto.kube.containerd import SOCKET
from hepto.kube.controller_manager import VOLUME_PLUGINS
from hepto.kube.files import File, KubePlan, json_file, restart_key
from hepto.kube.parameters import CLUSTER_DOMAIN, KubeParameters, rendered
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service

NAME = "kubelet"
CONFIG = rendered("kubelet.json")
RESOLVERS = rendered("resolv.conf")
HEALTH_PORT = 10248
ROOT = "/var/lib/kubelet"
POD_PROCESSES = 4096
"""Of one pod, threads counted. Without a limit a fork bomb takes all that the machine has, and nobody else can fork."""
SYSTEM_PROCESSES = 1024
"""Kept for what is no pod: all pods together have the rest. A machine of 1 GiB has about 7,600."""


def plan(parameters: KubeParameters) -> KubePlan:
    """Ready when it is healthy and its Node object has its address: kube-proxy wants to see that before it starts."""
    file = configuration(parameters)
    # fmt: off
    argv = (
        f"{paths.STACK}/kubelet",
        "--config", CONFIG,
        "--kubeconfig", kubeconfig.path(NAME),
        "--hostname-override", parameters.node,
        "--node-ip", str(parameters.address),
        "--root-dir", ROOT,
    )
    # fmt: on
    service = Service(
        argv=argv,
        env=memory.environment(NAME),
        after=("containerd",),
        ready=Ready(ReadyKind.AGENT),
        limits=memory.limits(NAME),
        oom_score_adj=memory.NEEDS[NAME].oom,
        restart_key=restart_key(file),
    )
    files = (file, resolvers(parameters), kubeconfig.client(parameters, NAME, "kubelet-client"))
    return KubePlan(files=files, services={NAME: service})


def configuration(parameters: KubeParameters) -> File:
    """KubeletConfiguration."""
    certificates = parameters.certificates
    pair = certificates.pair("kubelet-server")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(parameters.address),
        "healthzBindAddress": "::1",
        "healthzPort": HEALTH_PORT,
        "tlsCertFile": pair,
        "tlsPrivateKeyFile": pair,
        "tlsMinVersion": "VersionTLS13",
        "rotateCertificates": False,
        "serverTLSBootstrap": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": certificates.authority()},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [str(parameters.plan.dns_service)],
        "resolvConf": RESOLVERS,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "volumePluginDir": VOLUME_PLUGINS,
        "makeIPTablesUtilChains": False,
        "failSwapOn": False,
        "enableProfilingHandler": False,
        "containerLogMaxSize": "5Mi",
        "containerLogMaxFiles": 3,
        "podPidsLimit": POD_PROCESSES,
        "systemReserved": {"pid": str(SYSTEM_PROCESSES)},
        # A VM of 1 GiB is a node: kubelet's own default of 100 MiB would be a tenth of it.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "5%", "nodefs.inodesFree": "5%"},
    }
    return json_file(CONFIG, config)


def resolvers(parameters: KubeParameters) -> File:
    """What pods get that use the node's resolvers: cluster DNS on this node, for RDNSS may be link-local addresses."""
    lines = [f"nameserver {parameters.address}"]
    if parameters.search:
        lines.append(" ".join(("search", *parameters.search)))
    return File(RESOLVERS, "\n".join((*lines, "")).encode())
