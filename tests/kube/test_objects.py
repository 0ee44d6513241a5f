"""What a cluster is born with."""

import json

from hepto.kube import objects
from hepto.kube.objects import NodeFacts, Object, refusal
from hepto.pki.profiles import BY_NAME
from tests.kube.example import ADDRESS, FULL, PLAN, PODS

FACTS = NodeFacts("mymaster", FULL.address, FULL.pods, master=True)


def binding(name: str, role: str, kind: str, subject: str) -> Object:
    group = "rbac.authorization.k8s.io"
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": kind, "name": subject}],
    }
    return Object(f"/apis/{group}/v1/clusterrolebindings/{name}", body)


def test_hepto_s_identities_get_their_roles_and_no_other() -> None:
    made = objects.cluster(PLAN, ("mymaster",))

    assert [item for item in made if item.body.get("kind") == "ClusterRoleBinding"] == [
        binding("hepto:apiserver-to-kubelet", "system:kubelet-api-admin", "Group", "hepto:apiservers"),
        binding("hepto:kube-proxy", "system:node-proxier", "Group", "hepto:kube-proxies"),
        binding("hepto:coredns", "hepto:coredns", "Group", "hepto:coredns"),
        binding("hepto:admin:mymaster", "cluster-admin", "User", "hepto:admin:mymaster"),
    ]


def test_subjects_are_those_of_the_certificates() -> None:
    """The cores do not import each other; this holds their names together."""
    assert BY_NAME["apiserver-kubelet-client"].organisation == objects.APISERVERS
    assert BY_NAME["kube-proxy"].organisation == objects.KUBE_PROXIES
    assert BY_NAME["coredns"].organisation == objects.COREDNS
    assert BY_NAME["admin"].common_name.format(node="mymaster") == "hepto:admin:mymaster"


def test_coredns_only_reads_what_dns_needs() -> None:
    (role,) = (item for item in objects.cluster(PLAN, ()) if item.body.get("kind") == "ClusterRole")

    assert role.body["rules"] == [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]


def test_cluster_dns_has_its_address_and_stays_on_the_node() -> None:
    (service,) = (item for item in objects.cluster(PLAN, ()) if item.body.get("kind") == "Service")

    assert service.path == "/api/v1/namespaces/kube-system/services/kube-dns"
    assert service.body["spec"] == {
        "clusterIP": "fd6d:9999:dd30:300::a",
        "clusterIPs": ["fd6d:9999:dd30:300::a"],
        "ipFamilies": ["IPv6"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Local",
        "ports": [
            {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
            {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
        ],
    }


def test_a_node_s_part_of_cluster_dns_names_the_node() -> None:
    _, endpoints = objects.node(FACTS)

    assert endpoints == Object(
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-mymaster",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-mymaster",
                "namespace": "kube-system",
                "labels": {
                    "kubernetes.io/service-name": "kube-dns",
                    "endpointslice.kubernetes.io/managed-by": "hepto",
                },
            },
            "addressType": "IPv6",
            "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}, "nodeName": "mymaster"}],
            "ports": [
                {"name": "dns", "protocol": "UDP", "port": 53},
                {"name": "dns-tcp", "protocol": "TCP", "port": 53},
            ],
        },
    )


def test_a_node_object_has_its_roles_and_its_pod_subnet() -> None:
    node, _ = objects.node(FACTS)

    assert node == Object(
        "/api/v1/nodes/mymaster",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": "mymaster",
                "labels": {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/node": ""},
            },
            "spec": {"podCIDR": PODS, "podCIDRs": [PODS]},
        },
    )


def test_a_worker_is_not_labelled_as_control_plane() -> None:
    node, _ = objects.node(NodeFacts("node1", PLAN.node("node1"), PLAN.pod_subnet("node1"), master=False))

    assert node.body["metadata"]["labels"] == {"node-role.kubernetes.io/node": ""}


def test_a_refusal_is_told_in_the_apiserver_s_words() -> None:
    assert refusal(json.dumps({"kind": "Status", "message": "no such namespace"}).encode()) == "no such namespace"
    assert refusal(b"<html>") == refusal(b"[]") == "(no explanation)"


def test_each_operator_is_bound_alone_and_who_is_none_any_more_loses_the_role() -> None:
    others, first, second = objects.cluster(PLAN, (), ("SHA256:a/b+c", "SHA256:d"))[:3]

    assert [item.body["subjects"][0]["name"] for item in (first, second)] == [
        "hepto:operator:SHA256:a/b+c",
        "hepto:operator:SHA256:d",
    ]
    assert BY_NAME["operator"].common_name.format(node="SHA256:d") == "hepto:operator:SHA256:d"
    assert all("/" not in item.body["metadata"]["name"] for item in (first, second))
    assert others.body == {}
    assert "notin" in others.path
    kept = {item.body["metadata"]["labels"][objects.OPERATOR_LABEL] for item in (first, second)}
    assert all(name in others.path for name in kept)


def test_without_operators_every_binding_of_one_goes() -> None:
    (others, *_) = objects.cluster(PLAN, ())

    assert others.path.endswith(f"clusterrolebindings?labelSelector={objects.OPERATOR_LABEL}")


def test_a_forgotten_node_loses_what_it_was_given() -> None:
    assert [(item.path, item.body) for item in objects.forgotten("mymaster")] == [
        (item.path, {}) for item in objects.node(FACTS)
    ]
