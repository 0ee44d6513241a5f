"""kube-controller-manager: no key of the CA and no signing controller (there is one signer: hepto), no leader election.

With one master an election only adds a way to die: it exits when an apiserver restart takes longer than 10 s.
"""

from hepto.kube import kubeconfig, memory
from hepto.kube.files import KubePlan
from hepto.kube.parameters import KubeParameters
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service

NAME = "kube-controller-manager"
PORT = 10257
VOLUME_PLUGINS = "/var/lib/kubelet/volumeplugins"
"""It makes this directory; its default lies in the read-only root."""

DISABLED = (
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "node-ipam-controller",
)
"""Unknown names are fatal: the test compares them with the program's own list."""


def plan(parameters: KubeParameters) -> KubePlan:
    """Started when the apiserver has its RBAC roles: before that it exits."""
    certificates, config = parameters.certificates, kubeconfig.path(NAME)
    # fmt: off
    argv = (
        f"{paths.STACK}/kube-controller-manager",
        "--kubeconfig", config,
        "--authentication-kubeconfig", config,
        "--authorization-kubeconfig", config,
        "--bind-address", "::1",
        "--secure-port", str(PORT),
        "--tls-cert-file", certificates.pair("controller-manager"),
        "--tls-private-key-file", certificates.pair("controller-manager"),
        "--client-ca-file", certificates.authority(),
        "--root-ca-file", certificates.authority(),
        "--service-account-private-key-file", certificates.service_account_key,
        "--use-service-account-credentials",
        "--allocate-node-cidrs=false",
        "--cluster-cidr", str(parameters.plan.pods),
        "--service-cluster-ip-range", str(parameters.plan.services),
        "--cluster-name", parameters.plan.cluster,
        "--controllers", ",".join(("*", *(f"-{name}" for name in DISABLED))),
        "--flex-volume-plugin-dir", VOLUME_PLUGINS,
        "--leader-elect=false",
        "--profiling=false",
    )
    # fmt: on
    service = Service(
        argv=argv,
        env=memory.environment(NAME),
        capabilities=(),
        after=("kube-apiserver",),
        ready=Ready(ReadyKind.AGENT),
        limits=memory.limits(NAME),
        oom_score_adj=memory.NEEDS[NAME].oom,
    )
    return KubePlan(files=(kubeconfig.client(parameters, NAME, "controller-manager"),), services={NAME: service})
