"""The published vectors of the address plan. Changing one is a breaking change: clusters would lose their addresses."""

import pytest

from hepto.address import AddressPlan


@pytest.mark.parametrize(
    ("cluster", "node", "nodes", "pods", "address", "subnet"),
    [
        (
            "hepto",
            "acetique",
            "fdfd:9432:32b3:100::/56",
            "fdfd:9432:32b3:200::/56",
            "fdfd:9432:32b3:100:302:1a88:9151:9627",
            "fdfd:9432:32b3:203:21a:8891:5196:0/112",
        ),
        (
            "mycluster",
            "mymaster",
            "fd6d:9999:dd30:100::/56",
            "fd6d:9999:dd30:200::/56",
            "fd6d:9999:dd30:100:b6c5:f112:b311:6200",
            "fd6d:9999:dd30:2b6:c5f1:12b3:1162:0/112",
        ),
        (
            "mycluster",
            "node1",
            "fd6d:9999:dd30:100::/56",
            "fd6d:9999:dd30:200::/56",
            "fd6d:9999:dd30:100:ca12:f31b:8cbf:5f29",
            "fd6d:9999:dd30:2ca:12f3:1b8c:bf5f:0/112",
        ),
    ],
)
def test_published_vectors(cluster: str, node: str, nodes: str, pods: str, address: str, subnet: str) -> None:
    plan = AddressPlan(cluster)

    assert nodes == str(plan.nodes)
    assert pods == str(plan.pods)
    assert address == str(plan.node(node))
    assert subnet == str(plan.pod_subnet(node))


def test_services_lie_in_the_prefix_and_have_their_fixed_members() -> None:
    plan = AddressPlan("mycluster")

    assert str(plan.prefix) == "fd6d:9999:dd30::/48"
    assert str(plan.services) == "fd6d:9999:dd30:300::/112"
    assert str(plan.kubernetes_service) == "fd6d:9999:dd30:300::1"
    assert str(plan.dns_service) == "fd6d:9999:dd30:300::a"


def test_node_pod_and_service_networks_do_not_overlap() -> None:
    plan = AddressPlan("x")

    assert not plan.nodes.overlaps(plan.pods)
    assert not plan.pods.overlaps(plan.services)
    assert not plan.nodes.overlaps(plan.services)
    assert all(net.subnet_of(plan.prefix) for net in (plan.nodes, plan.pods, plan.services))
    assert plan.node("é") in plan.nodes
    assert plan.pod_subnet("é").subnet_of(plan.pods)
