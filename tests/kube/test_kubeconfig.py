"""Kubeconfigs name files: embedded data is never reloaded."""

import json

from hepto.kube import kubeconfig
from tests.kube.example import ADDRESS, DATA, FULL


def test_a_service_s_kubeconfig_names_files() -> None:
    file = kubeconfig.client(FULL, "kube-proxy", "kube-proxy")

    assert (file.path, file.mode) == ("/run/hepto/kube/kube-proxy.kubeconfig", 0o644)
    assert json.loads(file.data) == {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mycluster",
        "clusters": [
            {
                "name": "mycluster",
                "cluster": {"server": f"https://[{ADDRESS}]:6443", "certificate-authority": f"{DATA}/pki/ca.crt"},
            }
        ],
        "users": [
            {
                "name": "kube-proxy",
                "user": {
                    "client-certificate": f"{DATA}/pki/kube-proxy.pem",
                    "client-key": f"{DATA}/pki/kube-proxy.pem",
                },
            }
        ],
        "contexts": [{"name": "mycluster", "context": {"cluster": "mycluster", "user": "kube-proxy"}}],
    }


def test_the_operator_s_kubeconfig_is_kept_with_the_node() -> None:
    file = kubeconfig.operator(FULL)

    assert (file.path, file.mode) == (f"{DATA}/kubeconfig", 0o600)
    assert json.loads(file.data)["users"][0]["name"] == "admin"
