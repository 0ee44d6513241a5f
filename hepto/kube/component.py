"""What the components of the control plane that work through the apiserver have in common.

No leader election: with one master it only adds a way to die (it exits when an apiserver restart takes longer than
10 s).
"""

from hepto.kube import kubeconfig, memory
from hepto.kube.files import KubePlan
from hepto.kube.parameters import KubeParameters
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service


def plan(parameters: KubeParameters, name: str, port: int, *flags: str) -> KubePlan:
    """`name` is the program's, with the prefix `kube-`; its certificate has the rest. Started after the apiserver."""
    certificates, config, profile = parameters.certificates, kubeconfig.path(name), name.removeprefix("kube-")
    # fmt: off
    argv = (
        f"{paths.STACK}/{name}",
        "--kubeconfig", config,
        "--authentication-kubeconfig", config,
        "--authorization-kubeconfig", config,
        "--bind-address", "::1",
        "--secure-port", str(port),
        "--tls-cert-file", certificates.pair(profile),
        "--tls-private-key-file", certificates.pair(profile),
        "--client-ca-file", certificates.authority(),
        *flags,
        "--leader-elect=false",
        "--profiling=false",
    )
    # fmt: on
    service = Service(
        argv=argv,
        env=memory.environment(name),
        capabilities=(),
        after=("kube-apiserver",),
        ready=Ready(ReadyKind.AGENT),
        limits=memory.limits(name),
        oom_score_adj=memory.NEEDS[name].oom,
    )
    return KubePlan(files=(kubeconfig.client(parameters, name, profile),), services={name: service})
