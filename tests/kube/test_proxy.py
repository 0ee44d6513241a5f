"""kube-proxy's configuration."""

import dataclasses
import json

from hepto.kube import kubeconfig
from hepto.kube.files import KubePlan
from hepto.kube.parameters import Proxy
from hepto.kube.proxy import configuration, plan
from tests.kube.example import ADDRESS, FULL


def test_the_configuration_is_whole() -> None:
    file = configuration(FULL)

    assert json.loads(file.data) == {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": ADDRESS,
        "clientConnection": {"kubeconfig": "/run/hepto/kube/kube-proxy.kubeconfig"},
        "clusterCIDR": "fd6d:9999:dd30:200::/56",
        "healthzBindAddress": "[::1]:10256",
        "metricsBindAddress": "[::1]:10249",
        "nodePortAddresses": ["::/0"],
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def test_kube_proxy_comes_after_the_node_object() -> None:
    made = plan(FULL)

    assert made.files == (configuration(FULL), kubeconfig.client(FULL, "kube-proxy", "kube-proxy"))
    assert made.services["kube-proxy"].after == ("kubelet",)
    assert made.services["kube-proxy"].argv == (
        *("/usr/lib/hepto/stack/kube-proxy", "--config", "/run/hepto/kube/kube-proxy.json"),
        *("--hostname-override", "mymaster"),
    )


def test_there_is_none_when_the_user_replaces_it() -> None:
    assert plan(dataclasses.replace(FULL, proxy=Proxy.NONE)) == KubePlan()
