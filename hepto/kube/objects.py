"""What a cluster is born with, as data: RBAC for hepto's own identities, cluster DNS, and each node's object.

Applied by server-side apply with field manager `hepto`, again at every start of the master's agent: what a user took
away of these comes back, what a user added stays. Names of users and groups are those of hepto/pki/profiles.py (a test
compares).
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any
from urllib.parse import urlencode

from hepto.address import AddressPlan

FIELD_MANAGER = "hepto"
DNS_NAMESPACE = "kube-system"
DNS_SERVICE = "kube-dns"
DNS_PORT = 53

APISERVERS = "hepto:apiservers"
KUBE_PROXIES = "hepto:kube-proxies"
COREDNS = "hepto:coredns"
OPERATOR_LABEL = "hepto-operator"
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Object:
    """An object and the path it is applied to."""

    path: str
    body: dict[str, Any] = field(hash=False)
    """Empty: there shall be no such object."""


@dataclass(frozen=True)
class NodeFacts:
    """A node that runs pods, as its grant says."""

    name: str
    address: IPv6Address
    pods: IPv6Network
    master: bool


def cluster(plan: AddressPlan, masters: tuple[str, ...], operators: Collection[str] = ()) -> tuple[Object, ...]:
    """The objects of the cluster itself; `masters` are the names of its master nodes.

    `operators` are fingerprints of operators' keys: who is no longer among them loses the role.
    """
    return (
        _other_operators(operators),
        *(_operator(fingerprint) for fingerprint in operators),
        _binding("hepto:apiserver-to-kubelet", "system:kubelet-api-admin", _group(APISERVERS)),
        _binding("hepto:kube-proxy", "system:node-proxier", _group(KUBE_PROXIES)),
        _coredns_role(),
        _binding("hepto:coredns", "hepto:coredns", _group(COREDNS)),
        *(_binding(f"hepto:admin:{name}", "cluster-admin", _user(f"hepto:admin:{name}")) for name in masters),
        _dns_service(plan),
    )


def node(facts: NodeFacts) -> tuple[Object, ...]:
    """The objects of one node: its Node, which kubelet then fills in, and its part of cluster DNS.

    A kubelet may not give itself role labels, nor a pod CIDR; plugins of `cni=none` take the latter from here.
    """
    return (_node(facts), _dns_endpoints(facts))


def forgotten(name: str) -> tuple[Object, ...]:
    """Takes away what `node` makes."""
    return (Object(_node_path(name), {}), Object(_dns_endpoints_path(name), {}))


def refusal(body: bytes) -> str:
    """Why the apiserver refused, from the Status object it answers with."""
    try:
        return str(json.loads(body)["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return "(no explanation)"


def _node(facts: NodeFacts) -> Object:
    roles = ("control-plane", "node") if facts.master else ("node",)
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": facts.name, "labels": {f"node-role.kubernetes.io/{role}": "" for role in roles}},
        "spec": {"podCIDR": str(facts.pods), "podCIDRs": [str(facts.pods)]},
    }
    return Object(_node_path(facts.name), body)


def _node_path(name: str) -> str:
    return f"/api/v1/nodes/{name}"


def _dns_service(plan: AddressPlan) -> Object:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": DNS_SERVICE,
            "namespace": DNS_NAMESPACE,
            "labels": {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"},
        },
        "spec": {
            "clusterIP": str(plan.dns_service),
            "clusterIPs": [str(plan.dns_service)],
            "ipFamilies": ["IPv6"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Local",
            "ports": [
                {"name": "dns", "protocol": "UDP", "port": DNS_PORT, "targetPort": DNS_PORT},
                {"name": "dns-tcp", "protocol": "TCP", "port": DNS_PORT, "targetPort": DNS_PORT},
            ],
        },
    }
    return Object(f"/api/v1/namespaces/{DNS_NAMESPACE}/services/{DNS_SERVICE}", body)


def _dns_endpoints_path(name: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{DNS_NAMESPACE}/endpointslices/{DNS_SERVICE}-{name}"


def _dns_endpoints(facts: NodeFacts) -> Object:
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{DNS_SERVICE}-{facts.name}",
            "namespace": DNS_NAMESPACE,
            "labels": {
                "kubernetes.io/service-name": DNS_SERVICE,
                "endpointslice.kubernetes.io/managed-by": FIELD_MANAGER,
            },
        },
        "addressType": "IPv6",
        "endpoints": [
            {"addresses": [str(facts.address)], "conditions": {"ready": True}, "nodeName": facts.name},
        ],
        "ports": [
            {"name": "dns", "protocol": "UDP", "port": DNS_PORT},
            {"name": "dns-tcp", "protocol": "TCP", "port": DNS_PORT},
        ],
    }
    return Object(_dns_endpoints_path(facts.name), body)


def _coredns_role() -> Object:
    reading = ["list", "watch"]
    body = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "hepto:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": reading},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": reading},
        ],
    }
    return Object(f"/apis/{RBAC}/v1/clusterroles/hepto:coredns", body)


def _binding(name: str, role: str, subject: dict[str, str]) -> Object:
    body = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
    return Object(f"/apis/{RBAC}/v1/clusterrolebindings/{name}", body)


def _operator(fingerprint: str) -> Object:
    """The user of the profile `operator` (hepto/pki/profiles.py). A fingerprint may hold what a name must not."""
    identity = _short(fingerprint)
    binding = _binding(f"hepto:operator:{identity}", "cluster-admin", _user(f"hepto:operator:{fingerprint}"))
    binding.body["metadata"]["labels"] = {OPERATOR_LABEL: identity}
    return binding


def _other_operators(operators: Collection[str]) -> Object:
    """Takes the role away from all others that ever had it."""
    known = ",".join(sorted(map(_short, operators)))
    selector = OPERATOR_LABEL + (f",{OPERATOR_LABEL} notin ({known})" if known else "")
    return Object(f"/apis/{RBAC}/v1/clusterrolebindings?{urlencode({'labelSelector': selector})}", {})


def _short(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:16]


def _group(name: str) -> dict[str, str]:
    return {"apiGroup": RBAC, "kind": "Group", "name": name}


def _user(name: str) -> dict[str, str]:
    return {"apiGroup": RBAC, "kind": "User", "name": name}
