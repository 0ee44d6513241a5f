"""Ready values for what a user may put in the place of the native network: Cilium, Calico, a kube-proxy of his own.

Pure; the results are plain data in the form that each tool reads: Helm values, an Installation of Calico's operator, a
List of Kubernetes objects. All of it is YAML as JSON. tests/vectors/plugins has the documented keys of each plugin
with version and source, and the tests compare. What each of them has to keep to, by hepto's own rules:

- Without encapsulation the addresses of a node's pods lie in its `spec.podCIDRs`: the mesh routes those, and WireGuard
  takes no other source from a peer. With VXLAN the packets between node addresses are all that the mesh sees.
- The outside is reached under the node's address, translated before table `inet hepto` looks last: it lets no address
  of the cluster leave through the underlay.
- The root file system of a node is read-only.
"""

import json
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final

from hepto.address import AddressPlan
from hepto.kube import proxy
from hepto.kube.parameters import API_PORT, MIN_MTU

VXLAN_OVERHEAD: Final = 70
"""Bytes: outer IPv6 header 40, UDP 8, VXLAN 8 (RFC 7348) and the inner Ethernet header 14."""
CGROUPS: Final = "/sys/fs/cgroup"
NAMESPACE: Final = "kube-system"
ACCOUNT_FILES: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
PROXY_FILES: Final = "/var/lib/kube-proxy"

Values = dict[str, Any]
"""JSON."""


class TooSmall(ValueError):  # noqa: N818 (it is the MTU that is)
    """Pods would have an MTU below IPv6's least."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plugin's values depend on."""

    plan: AddressPlan
    master: IPv6Address
    """Node address of a master: whoever replaces kube-proxy cannot reach the apiserver through it."""
    mtu: int
    """Bytes, of wg0 where it is least."""
    encapsulated: bool = False
    """VXLAN between node addresses, instead of routes through the mesh."""
    without_proxy: bool = False
    """`proxy=none`: no kube-proxy runs, the plugin does its work."""

    @property
    def pod_mtu(self) -> int:
        """Bytes. Raises TooSmall."""
        mtu = self.mtu - (VXLAN_OVERHEAD if self.encapsulated else 0)
        if mtu < MIN_MTU:
            raise TooSmall(mtu)
        return mtu


def cilium(around: Surroundings) -> Values:
    """Values of Cilium's Helm chart. Raises TooSmall."""
    routing = (
        {"routingMode": "tunnel", "tunnelProtocol": "vxlan", "underlayProtocol": "ipv6"}
        if around.encapsulated
        else {"routingMode": "native"}
    )
    assert around.pod_mtu  # Cilium itself takes VXLAN's share off the MTU it is told
    return {
        "k8sServiceHost": str(around.master),
        "k8sServicePort": str(API_PORT),
        "ipv4": {"enabled": False},
        "ipv6": {"enabled": True},
        "ipam": {"mode": "kubernetes"},
        "k8s": {"requireIPv6PodCIDR": True},
        **routing,
        "ipv6NativeRoutingCIDR": str(around.plan.prefix),
        "enableIPv6Masquerade": True,
        "MTU": around.mtu,
        "kubeProxyReplacement": "true" if around.without_proxy else "false",
        # Masquerading in eBPF comes after nftables have seen a packet with a pod's address, and dropped it, unless eBPF
        # forwards by itself. So both are eBPF's, or none.
        "bpf": {"masquerade": around.without_proxy, "hostLegacyRouting": not around.without_proxy},
        # PID 1 has mounted it.
        "cgroup": {"autoMount": {"enabled": False}, "hostRoot": CGROUPS},
        # Two never fit on one node.
        "operator": {"replicas": 1},
    }


def calico(around: Surroundings) -> Values:
    """The Installation that Calico's operator waits for: nftables beside kube-proxy. Raises TooSmall."""
    assert not around.without_proxy, "Calico's eBPF dataplane is another matter"
    return {
        "apiVersion": "operator.tigera.io/v1",
        "kind": "Installation",
        "metadata": {"name": "default"},
        "spec": {
            "variant": "Calico",
            "cni": {"type": "Calico", "ipam": {"type": "Calico" if around.encapsulated else "HostLocal"}},
            "calicoNetwork": {
                "linuxDataplane": "Nftables",
                "bgp": "Disabled",
                "mtu": around.pod_mtu,
                "nodeAddressAutodetectionV6": {"kubernetes": "NodeInternalIP"},
                "ipPools": [
                    {
                        "name": "pods",
                        "cidr": str(around.plan.pods),
                        "encapsulation": "VXLAN" if around.encapsulated else "None",
                        "natOutgoing": "Enabled",
                        "nodeSelector": "all()",
                    }
                ],
            },
            "serviceCIDRs": [str(around.plan.services)],
            "controlPlaneReplicas": 1,
            # Its default lies in the read-only root.
            "flexVolumePath": "None",
        },
    }


def kube_proxy(around: Surroundings, version: str) -> Values:
    """A kube-proxy of `version` (v1.37.2) as a DaemonSet, with all that it needs, for `kubectl apply -f -`."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "default",
                "cluster": {
                    "certificate-authority": f"{ACCOUNT_FILES}/ca.crt",
                    "server": f"https://[{around.master}]:{API_PORT}",
                },
            }
        ],
        "users": [{"name": "default", "user": {"tokenFile": f"{ACCOUNT_FILES}/token"}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
        "current-context": "default",
    }
    configuration = {
        **proxy.common(around.plan),
        "bindAddress": "::",
        "clientConnection": {"kubeconfig": f"{PROXY_FILES}/kubeconfig.json"},
    }
    files = {"config.json": json.dumps(configuration, indent=1), "kubeconfig.json": json.dumps(kubeconfig, indent=1)}
    metadata = {"name": proxy.NAME, "namespace": NAMESPACE}
    account = {"kind": "ServiceAccount", "name": proxy.NAME, "namespace": NAMESPACE}
    items = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{NAMESPACE}:{proxy.NAME}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-proxier"},
            "subjects": [account],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        _daemon_set(metadata, f"registry.k8s.io/kube-proxy:{version}"),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _daemon_set(metadata: Values, image: str) -> Values:
    labels = {"k8s-app": proxy.NAME}
    name = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    container = {
        "name": proxy.NAME,
        "image": image,
        "command": [
            "/usr/local/bin/kube-proxy",
            f"--config={PROXY_FILES}/config.json",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [name],
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": "files", "mountPath": PROXY_FILES, "readOnly": True},
            {"name": "modules", "mountPath": "/lib/modules", "readOnly": True},
        ],
    }
    pod = {
        "serviceAccountName": proxy.NAME,
        "priorityClassName": "system-node-critical",
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "files", "configMap": {"name": proxy.NAME}},
            {"name": "modules", "hostPath": {"path": "/lib/modules"}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {**metadata, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
