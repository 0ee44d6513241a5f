"""kube-scheduler: no leader election (see controller_manager)."""

from hepto.kube import kubeconfig, memory
from hepto.kube.files import KubePlan
from hepto.kube.parameters import KubeParameters
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service

NAME = "kube-scheduler"
PORT = 10259


def plan(parameters: KubeParameters) -> KubePlan:
    """Started when the apiserver is ready."""
    certificates, config = parameters.certificates, kubeconfig.path(NAME)
    # fmt: off
    argv = (
        f"{paths.STACK}/kube-scheduler",
        "--kubeconfig", config,
        "--authentication-kubeconfig", config,
        "--authorization-kubeconfig", config,
        "--bind-address", "::1",
        "--secure-port", str(PORT),
        "--tls-cert-file", certificates.pair("scheduler"),
        "--tls-private-key-file", certificates.pair("scheduler"),
        "--client-ca-file", certificates.authority(),
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
    return KubePlan(files=(kubeconfig.client(parameters, NAME, "scheduler"),), services={NAME: service})
