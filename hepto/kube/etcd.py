"""etcd: clients on ::1 only, peers on the node address, so that a one-node cluster can grow without a new peer URL."""

from hepto.kube import memory
from hepto.kube.files import Directory, KubePlan
from hepto.kube.parameters import KubeParameters
from init.contract import paths
from init.contract.service import Ready, ReadyKind, Service, Stop

CLIENT_URL = "https://[::1]:2379"
METRICS_URL = "http://[::1]:2381"
PEER_PORT = 2380


def plan(parameters: KubeParameters) -> KubePlan:
    """One member. READY=1 comes when it has a leader."""
    certificates = parameters.certificates
    authority = certificates.authority("etcd-ca")
    server, peer = certificates.pair("etcd-server"), certificates.pair("etcd-peer")
    peer_url = f"https://[{parameters.address}]:{PEER_PORT}"
    # fmt: off
    argv = (
        f"{paths.STACK}/etcd",
        "--name", parameters.node,
        "--data-dir", parameters.etcd_data,
        "--listen-client-urls", CLIENT_URL,
        "--advertise-client-urls", CLIENT_URL,
        "--listen-peer-urls", peer_url,
        "--initial-advertise-peer-urls", peer_url,
        "--initial-cluster", f"{parameters.node}={peer_url}",
        "--initial-cluster-token", parameters.plan.cluster,
        "--listen-metrics-urls", METRICS_URL,
        "--client-cert-auth",
        "--trusted-ca-file", authority,
        "--cert-file", server,
        "--key-file", server,
        "--peer-client-cert-auth",
        "--peer-trusted-ca-file", authority,
        "--peer-cert-file", peer,
        "--peer-key-file", peer,
        "--tls-min-version", "TLS1.3",
        # Entries kept in memory for followers that lag behind: one member has none, and a new one gets a snapshot.
        "--snapshot-count", "2500",
        "--snapshot-catchup-entries", "500",
        "--log-outputs", "stderr",
        "--log-format", "console",
        "--log-level", "warn",
    )
    # fmt: on
    service = Service(
        argv=argv,
        env=memory.environment("etcd"),
        capabilities=(),
        ready=Ready(ReadyKind.NOTIFY),
        stop=Stop(timeout=30.0),
        limits=memory.limits("etcd"),
        oom_score_adj=memory.NEEDS["etcd"].oom,
    )
    return KubePlan(directories=(Directory(parameters.etcd_data),), services={"etcd": service})
