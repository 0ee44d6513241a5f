"""Pods reach each other, are reached, and reach out:

through Service, DNS, NodePort, hostPort, and to a host behind the router.
"""

import sys
from typing import Any

import pytest

from hepto.address import AddressPlan
from hepto.lab import demo, spec
from tests.vm.harness import Node, Quiet, eventually

pytestmark = [pytest.mark.vm, pytest.mark.timeout(400, func_only=True)]

HOST_PORT = 9080
NODE_PORT = 30080
PLAN = AddressPlan("demo")

FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode().strip())"


@pytest.fixture(scope="module")
def pods(node: Node) -> dict[str, Any]:
    """Two pods behind a Service; one more with a hostPort; a NodePort before all. By name."""
    front = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "front", "labels": {"front": "yes"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                demo.container(
                    "web", demo.SERVE, ports=[{"containerPort": demo.PORT, "hostPort": HOST_PORT, "protocol": "TCP"}]
                )
            ],
        },
    }
    outer = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "outer"},
        "spec": {
            "type": "NodePort",
            "selector": {"app": demo.NAME},
            "ports": [{"port": 80, "targetPort": demo.PORT, "nodePort": NODE_PORT}],
        },
    }
    node.apply(*demo.objects()["items"], front, outer)
    node.kubectl("rollout", "status", f"deployment/{demo.NAME}", "--timeout=200s", timeout=220)
    node.kubectl("wait", "--for=condition=Ready", "pod/front", "--timeout=100s", timeout=120)
    return {item["metadata"]["name"]: item for item in node.get("pods")["items"]}


def from_router(node: Node, url: str) -> str:
    """What the lab's router is answered."""
    done = node.connection.run("router", sys.executable, "-c", FETCH, url, timeout=60)
    assert done.status == 0, done.stderr.decode()
    return done.text


def in_pod(node: Node, pod: str, script: str) -> str:
    return node.kubectl("exec", pod, "--", "/bin/busybox", "sh", "-c", script)


def test_the_demo_sees_both_pods_through_service_and_dns(node: Node, pods: dict[str, Any]) -> None:
    saw = demo.show(node.connection, Quiet())

    assert saw.address == str(PLAN.kubernetes_service)
    assert saw.answers == {name for name in pods if name.startswith(demo.NAME)}


def test_pods_have_addresses_of_their_node_and_nothing_else(node: Node, pods: dict[str, Any]) -> None:
    from ipaddress import ip_address

    subnet = PLAN.pod_subnet("one")
    addresses = [[ip["ip"] for ip in item["status"]["podIPs"]] for item in pods.values()]

    assert len(pods) == 3
    assert all(len(found) == 1 and ip_address(found[0]) in subnet for found in addresses)
    assert in_pod(node, "front", "ip -4 -o addr | grep -v ' lo '; true") == ""


def test_a_node_port_is_answered_from_the_router(node: Node, pods: dict[str, Any]) -> None:
    address = node.view()["address"]

    assert from_router(node, f"http://[{address}]:{NODE_PORT}/").startswith(demo.NAME)


def test_a_host_port_is_answered_from_the_router(node: Node, pods: dict[str, Any]) -> None:
    address = node.view()["address"]

    assert from_router(node, f"http://[{address}]:{HOST_PORT}/") == "front"


def test_a_pod_is_answered_by_a_host_behind_the_router_as_its_node(node: Node, pods: dict[str, Any]) -> None:
    """The host knows no route to pods: what leaves the cluster carries the node's address of the underlay."""
    seen = in_pod(node, "front", "wget -q -T 20 -O - http://[2001:db8:2::2]/")

    assert seen == node.view()["address"]


def test_a_pod_resolves_names_of_the_outside(node: Node, pods: dict[str, Any]) -> None:
    seen = in_pod(node, "front", "wget -q -T 20 -O - http://outside.lab.internal/")

    assert seen == node.view()["address"]


def test_the_node_itself_resolves_and_reaches_the_outside(node: Node) -> None:
    script = "import urllib.request as u; print(u.urlopen('http://outside/', timeout=20).read().decode().strip())"

    assert node.run("/usr/bin/python3", "-I", "-c", script).text == node.view()["address"]


def test_logs_and_exec_of_pods_work(node: Node, pods: dict[str, Any]) -> None:
    assert in_pod(node, "front", "hostname") == "front"
    assert node.run(*_logs(node)).status == 0


def _logs(node: Node) -> tuple[str, ...]:
    from hepto.lab.boot import kubectl_argv

    return kubectl_argv(node.cluster, node.name, ("logs", "front"))


def test_the_router_reaches_neither_pods_nor_etcd_nor_the_kubelet(node: Node, pods: dict[str, Any]) -> None:
    """Only what contract.md section 5 opens is open on the underlay."""
    address = node.view()["address"]
    probe = (
        "import socket, sys\n"
        "for port in map(int, sys.argv[2:]):\n"
        "    s = socket.socket(socket.AF_INET6); s.settimeout(2)\n"
        "    print(port, s.connect_ex((sys.argv[1], port)) == 0)\n"
    )
    ports = ["2379", "2380", "10250", "10256", "6443", str(NODE_PORT)]
    done = node.connection.run("router", sys.executable, "-c", probe, address, *ports, timeout=60)
    opened = {line.split()[0] for line in done.text.splitlines() if line.endswith("True")}

    assert opened == {"6443", str(NODE_PORT)}


def test_a_deleted_pod_is_replaced_and_serves(node: Node, pods: dict[str, Any]) -> None:
    victim = next(name for name in pods if name.startswith(demo.NAME))
    node.kubectl("delete", "pod", victim, "--wait=false")

    def served() -> bool:
        names = {item["metadata"]["name"] for item in node.get("pods", "-l", f"app={demo.NAME}")["items"]}
        return victim not in names and len(names) == demo.REPLICAS

    eventually(served, "two pods, without the deleted one")
    node.kubectl("rollout", "status", f"deployment/{demo.NAME}", "--timeout=100s", timeout=120)
    assert demo.show(node.connection, Quiet()).answers.isdisjoint({victim})


def image_wait(node: Node) -> str:
    """What the node's status says of images that cannot be pulled; nothing if all can."""
    return " ".join(wait["what"] for wait in node.status()["waits"] if spec.ONLY_IPV4 in wait["subject"])


def test_a_registry_without_ipv6_is_named_and_reached_when_the_router_translates(
    node: Node, pods: dict[str, Any]
) -> None:
    """Pods get addresses made from the advertised NAT64 prefix by cluster DNS; the node's own resolver is the lab's."""
    image = f"{spec.ONLY_IPV4}/something:1"
    container = demo.container("web", demo.SERVE) | {"image": image, "imagePullPolicy": "Always"}
    metadata = {"name": "foreign"}
    containers = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    node.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": containers})
    try:
        said = eventually(lambda: image_wait(node), "the status names the image", explain=node.status)
        assert f"{spec.ONLY_IPV4} has no IPv6 address (no AAAA record), and the network no NAT64 prefix" in said

        node.connection.fault("nat64", on=True)
        eventually(lambda: node.status()["network"]["nat64"] == str(spec.NAT64), "the prefix is shown")
        fetch = f"wget -q -T 10 -O - http://{spec.ONLY_IPV4}/"
        seen = eventually(lambda: in_pod(node, "front", fetch), "a pod reaches it", explain=node.status)
        assert seen.strip() == node.view()["address"]
    finally:
        node.connection.fault("nat64", on=False)
        node.kubectl("delete", "pod", "foreign", "--wait=false")
    eventually(lambda: not image_wait(node) and not node.status()["network"]["nat64"], "it is as before")
