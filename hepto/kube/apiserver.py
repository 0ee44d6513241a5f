"""kube-apiserver: on every address of the node (the firewall says from where), Secrets encrypted in etcd.

Its READY=1 comes before its RBAC bootstrap, so readiness is the agent's probe of /readyz.
"""

from hepto.kube import etcd, kubeconfig, memory
from hepto.kube.files import KubePlan
from hepto.kube.parameters import API_PORT, CLUSTER_DOMAIN, KubeParameters
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service, Stop

NAME = "kube-apiserver"


def plan(parameters: KubeParameters) -> KubePlan:
    """The apiserver and the operator's kubeconfig."""
    service = Service(
        argv=_argv(parameters),
        env=memory.environment(NAME),
        capabilities=(),
        after=("etcd",),
        ready=Ready(ReadyKind.AGENT),
        stop=Stop(timeout=20.0),
        limits=memory.limits(NAME),
        oom_score_adj=memory.NEEDS[NAME].oom,
    )
    return KubePlan(files=(kubeconfig.operator(parameters),), services={NAME: service})


def _argv(parameters: KubeParameters) -> tuple[str, ...]:
    certificates = parameters.certificates
    pair, authority = certificates.pair, certificates.authority
    # fmt: off
    return (
        f"{paths.STACK}/kube-apiserver",
        "--advertise-address", str(parameters.address),
        "--bind-address", "::",
        "--secure-port", str(API_PORT),
        "--tls-cert-file", pair("apiserver"),
        "--tls-private-key-file", pair("apiserver"),
        "--client-ca-file", authority(),
        "--anonymous-auth=false",
        "--authorization-mode", "Node,RBAC",
        "--enable-admission-plugins", "NodeRestriction",
        "--allow-privileged",
        "--etcd-servers", etcd.CLIENT_URL,
        "--etcd-cafile", authority("etcd-ca"),
        "--etcd-certfile", pair("apiserver-etcd-client"),
        "--etcd-keyfile", pair("apiserver-etcd-client"),
        "--encryption-provider-config", certificates.secrets_encryption,
        "--kubelet-client-certificate", pair("apiserver-kubelet-client"),
        "--kubelet-client-key", pair("apiserver-kubelet-client"),
        "--kubelet-certificate-authority", authority(),
        "--kubelet-preferred-address-types", "InternalIP",
        "--service-cluster-ip-range", str(parameters.plan.services),
        "--service-account-issuer", f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        "--service-account-key-file", certificates.service_account_public,
        "--service-account-signing-key-file", certificates.service_account_key,
        "--requestheader-client-ca-file", authority("front-proxy-ca"),
        "--requestheader-allowed-names", "front-proxy-client",
        "--requestheader-username-headers", "X-Remote-User",
        "--requestheader-group-headers", "X-Remote-Group",
        "--requestheader-extra-headers-prefix", "X-Remote-Extra-",
        "--proxy-client-cert-file", pair("front-proxy-client"),
        "--proxy-client-key-file", pair("front-proxy-client"),
        # A pure master has no kube-proxy, so it cannot reach a ClusterIP.
        f"--enable-aggregator-routing={'false' if parameters.worker else 'true'}",
        "--profiling=false",
    )
    # fmt: on
