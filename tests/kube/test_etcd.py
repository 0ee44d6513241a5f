"""etcd's flags."""

from hepto.kube.etcd import plan
from hepto.kube.files import Directory
from init.contract.service import Ready, ReadyKind, Scope
from tests.kube.example import ADDRESS, DATA, FULL


def test_etcd_serves_clients_on_loopback_and_peers_on_the_node_address() -> None:
    made = plan(FULL)

    assert made.directories == (Directory(f"{DATA}/etcd", 0o700),)
    assert made.services["etcd"].argv == (
        *("/usr/lib/hepto/stack/etcd", "--name", "mymaster", "--data-dir", f"{DATA}/etcd"),
        *("--listen-client-urls", "https://[::1]:2379", "--advertise-client-urls", "https://[::1]:2379"),
        *("--listen-peer-urls", f"https://[{ADDRESS}]:2380"),
        *("--initial-advertise-peer-urls", f"https://[{ADDRESS}]:2380"),
        *("--initial-cluster", f"mymaster=https://[{ADDRESS}]:2380", "--initial-cluster-token", "mycluster"),
        *("--listen-metrics-urls", "http://[::1]:2381"),
        *("--client-cert-auth", "--trusted-ca-file", f"{DATA}/pki/etcd-ca.crt"),
        *("--cert-file", f"{DATA}/pki/etcd-server.pem", "--key-file", f"{DATA}/pki/etcd-server.pem"),
        *("--peer-client-cert-auth", "--peer-trusted-ca-file", f"{DATA}/pki/etcd-ca.crt"),
        *("--peer-cert-file", f"{DATA}/pki/etcd-peer.pem", "--peer-key-file", f"{DATA}/pki/etcd-peer.pem"),
        *("--tls-min-version", "TLS1.3", "--snapshot-count", "2500", "--snapshot-catchup-entries", "500"),
        *("--log-outputs", "stderr", "--log-format", "console", "--log-level", "warn"),
    )


def test_etcd_has_time_to_end_and_needs_no_capability() -> None:
    service = plan(FULL).services["etcd"]

    assert service.ready == Ready(ReadyKind.NOTIFY)
    assert (service.stop.timeout, service.stop.scope, service.capabilities) == (30.0, Scope.CGROUP, ())
