"""The controller manager's flags."""

from hepto.kube import kubeconfig
from hepto.kube.controller_manager import NAME, plan
from tests.kube.example import DATA, FULL
from tests.kube.test_apiserver import PKI, flags

CONFIG = "/run/hepto/kube/kube-controller-manager.kubeconfig"


def test_the_controller_manager_is_configured_whole() -> None:
    made = plan(FULL)

    assert made.files == (kubeconfig.client(FULL, NAME, "controller-manager"),)
    assert flags(made.services[NAME].argv) == {
        "kubeconfig": CONFIG,
        "authentication-kubeconfig": CONFIG,
        "authorization-kubeconfig": CONFIG,
        "bind-address": "::1",
        "secure-port": "10257",
        "tls-cert-file": f"{PKI}/controller-manager.pem",
        "tls-private-key-file": f"{PKI}/controller-manager.pem",
        "client-ca-file": f"{PKI}/ca.crt",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/service-account.pem",
        "use-service-account-credentials": "",
        "allocate-node-cidrs": "false",
        "cluster-cidr": "fd6d:9999:dd30:200::/56",
        "service-cluster-ip-range": "fd6d:9999:dd30:300::/112",
        "cluster-name": "mycluster",
        "controllers": (
            "*,-certificatesigningrequest-signing-controller,-certificatesigningrequest-approving-controller,"
            "-node-ipam-controller"
        ),
        "flex-volume-plugin-dir": "/var/lib/kubelet/volumeplugins",
        "leader-elect": "false",
        "profiling": "false",
    }


def test_it_has_no_key_of_an_authority() -> None:
    argv = plan(FULL).services[NAME].argv

    assert not any(f"{DATA}/pki/{name}.pem" in argv for name in ("ca", "etcd-ca", "front-proxy-ca"))
