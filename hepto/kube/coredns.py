"""Cluster DNS on every node that runs pods, bound to the node's address: it depends on no other machine.

It takes a kubeconfig, not the service address, reads its Corefile again when that changes (so other resolvers restart
nothing), and answers for the cluster also when the node has no resolver at all.

Where routers advertise a NAT64 prefix, a name without an AAAA record gets one made of its A record (RFC 6147). Where
the network's own resolver does so already there always is one, and nothing is made twice.
"""

from hepto.kube import kubeconfig, memory
from hepto.kube.files import File, KubePlan
from hepto.kube.parameters import CLUSTER_DOMAIN, KubeParameters, rendered
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service

NAME = "coredns"
CONFIG = rendered("Corefile")
READY_PORT = 10853
METRICS_PORT = 10852
"""Not the ports of CoreDNS's examples: a pod of the host's network that binds [::]:8080 must find it free."""
MAX_RESOLVERS = 15
"""plugin/forward/setup.go refuses more."""

CONFIGURATION = """\
.:53 {{
    bind {address}
    errors
    ready [::1]:{ready}
    prometheus [::1]:{metrics}
    kubernetes {domain} {services} {pods} {{
        kubeconfig {kubeconfig}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
{nat64}    {upstream}
    cache 30 {{
        disable success {domain}
        disable denial {domain}
    }}
    reload 5s 2s
    loadbalance
}}
"""


def plan(parameters: KubeParameters) -> KubePlan:
    """Beside its apiserver it starts after it; elsewhere it waits for the apiserver by itself."""
    service = Service(
        argv=(f"{paths.STACK}/coredns", "-conf", CONFIG),
        env=memory.environment(NAME),
        capabilities=("CAP_NET_BIND_SERVICE",),
        after=("kube-apiserver",) if parameters.master else (),
        ready=Ready(ReadyKind.AGENT),
        limits=memory.limits(NAME),
        oom_score_adj=memory.NEEDS[NAME].oom,
    )
    files = (corefile(parameters), kubeconfig.client(parameters, NAME, "coredns"))
    return KubePlan(files=files, services={NAME: service})


def corefile(parameters: KubeParameters) -> File:
    """The Corefile."""
    text = CONFIGURATION.format(
        address=parameters.address,
        ready=READY_PORT,
        metrics=METRICS_PORT,
        domain=CLUSTER_DOMAIN,
        services=parameters.plan.services,
        pods=parameters.plan.pods,
        kubeconfig=kubeconfig.path(NAME),
        nat64=f"    dns64 {parameters.nat64}\n" if parameters.nat64 else "",
        upstream=_upstream(parameters.resolvers[:MAX_RESOLVERS]),
    )
    return File(CONFIG, text.encode())


def _upstream(resolvers: tuple[str, ...]) -> str:
    if resolvers:
        return f"forward . {' '.join(resolvers)}"
    return "template ANY ANY . {\n        rcode SERVFAIL\n    }"
