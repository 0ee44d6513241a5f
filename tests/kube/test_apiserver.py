"""The apiserver's flags."""

import dataclasses

from hepto.kube import kubeconfig
from hepto.kube.apiserver import NAME, plan
from tests.kube.example import ADDRESS, DATA, FULL

PKI = f"{DATA}/pki"


def flags(argv: tuple[str, ...]) -> dict[str, str]:
    """Both spellings of a flag: `--name value` and `--name=value`."""
    found: dict[str, str] = {}
    for index, word in enumerate(argv):
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            follows = argv[index + 1] if index + 1 < len(argv) else "--"
            found[name] = value if equals else "" if follows.startswith("--") else follows
    return found


def test_the_apiserver_is_configured_whole() -> None:
    made = plan(FULL)

    assert made.files == (kubeconfig.operator(FULL),)
    assert flags(made.services[NAME].argv) == {
        "advertise-address": ADDRESS,
        "bind-address": "::",
        "secure-port": "6443",
        "tls-cert-file": f"{PKI}/apiserver.pem",
        "tls-private-key-file": f"{PKI}/apiserver.pem",
        "client-ca-file": f"{PKI}/ca.crt",
        "anonymous-auth": "false",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "",
        "etcd-servers": "https://[::1]:2379",
        "etcd-cafile": f"{PKI}/etcd-ca.crt",
        "etcd-certfile": f"{PKI}/apiserver-etcd-client.pem",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.pem",
        "encryption-provider-config": f"{PKI}/secrets-encryption.json",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.pem",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.pem",
        "kubelet-certificate-authority": f"{PKI}/ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "service-cluster-ip-range": "fd6d:9999:dd30:300::/112",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": f"{PKI}/service-account.pub",
        "service-account-signing-key-file": f"{PKI}/service-account.pem",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": f"{PKI}/front-proxy-client.pem",
        "proxy-client-key-file": f"{PKI}/front-proxy-client.pem",
        "enable-aggregator-routing": "false",
        "profiling": "false",
    }


def test_a_pure_master_routes_aggregated_apis_itself() -> None:
    service = plan(dataclasses.replace(FULL, worker=False)).services[NAME]

    assert flags(service.argv)["enable-aggregator-routing"] == "true"
