"""kubelet's configuration."""

import dataclasses
import json

from hepto.kube import kubeconfig
from hepto.kube.files import File
from hepto.kube.kubelet import configuration, plan, resolvers
from tests.kube.example import ADDRESS, FULL
from tests.kube.test_apiserver import PKI


def test_the_configuration_is_whole() -> None:
    file = configuration(FULL)

    assert json.loads(file.data) == {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "healthzBindAddress": "::1",
        "healthzPort": 10248,
        "tlsCertFile": f"{PKI}/kubelet-server.pem",
        "tlsPrivateKeyFile": f"{PKI}/kubelet-server.pem",
        "tlsMinVersion": "VersionTLS13",
        "rotateCertificates": False,
        "serverTLSBootstrap": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local",
        "clusterDNS": ["fd6d:9999:dd30:300::a"],
        "resolvConf": "/run/hepto/kube/resolv.conf",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
        "makeIPTablesUtilChains": False,
        "failSwapOn": False,
        "enableProfilingHandler": False,
        "containerLogMaxSize": "5Mi",
        "containerLogMaxFiles": 3,
        "podPidsLimit": 4096,
        "systemReserved": {"pid": "1024"},
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "5%", "nodefs.inodesFree": "5%"},
    }


def test_kubelet_is_named_and_addressed_as_the_node() -> None:
    made = plan(FULL)

    assert made.files == (
        configuration(FULL),
        resolvers(FULL),
        kubeconfig.client(FULL, "kubelet", "kubelet-client"),
    )
    assert made.services["kubelet"].argv == (
        *("/usr/lib/hepto/stack/kubelet", "--config", "/run/hepto/kube/kubelet.json"),
        *("--kubeconfig", "/run/hepto/kube/kubelet.kubeconfig"),
        *("--hostname-override", "mymaster", "--node-ip", ADDRESS, "--root-dir", "/var/lib/kubelet"),
    )


def test_pods_with_the_node_s_resolvers_get_cluster_dns() -> None:
    """The node's own may be link-local, which a pod cannot reach."""
    assert resolvers(FULL) == File(
        "/run/hepto/kube/resolv.conf", f"nameserver {ADDRESS}\nsearch lab.internal\n".encode(), 0o644
    )
    assert resolvers(dataclasses.replace(FULL, search=())).data == f"nameserver {ADDRESS}\n".encode()
