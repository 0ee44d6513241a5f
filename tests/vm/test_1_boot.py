"""A node boots to Ready by itself, and what may not be on it is not."""

import json
from typing import Any

import pytest

from hepto.address import AddressPlan
from tests.vm import canaries
from tests.vm.harness import Node

pytestmark = [pytest.mark.vm, pytest.mark.timeout(400, func_only=True)]

LISTEN = "0A"  # TCP_LISTEN in net/tcp_states.h
MESH_PORT = 7948
ALWAYS = {"agent", "logger", "lab"}
STACK = {
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
}


def test_the_node_is_ready_by_its_own_word_and_by_kubernetes(node: Node) -> None:
    status = node.status()
    (item,) = node.get("nodes")["items"]
    conditions = {condition["type"]: condition["status"] for condition in item["status"]["conditions"]}
    addresses = {address["type"]: address["address"] for address in item["status"]["addresses"]}

    assert status["ready"] is True
    assert status["waits"] == []
    assert conditions["Ready"] == "True"
    assert item["metadata"]["name"] == "one"
    assert addresses["InternalIP"] == str(AddressPlan("demo").node("one"))


def test_every_service_runs_and_was_started_once(node: Node) -> None:
    """Started on readiness, not on luck: none came up too early and had to be started again."""
    services = node.services()

    assert services.keys() >= ALWAYS | STACK
    assert node.started_again() == {}
    assert {name: found["state"] for name, found in services.items() if found["state"] not in ("ready", "down")} == {}


def test_no_python_was_compiled_at_boot(node: Node) -> None:
    boot = json.loads(node.connection.read("one", "/run/hepto/boot.json"))

    assert boot["compiled"] == 0
    assert boot["data"] == "disk"


def test_there_is_no_ipv4_address_and_no_ipv4_listener(node: Node) -> None:
    addresses = node.sh("ip -4 -o address")
    tcp = node.sh("cat /proc/net/tcp").splitlines()[1:]
    udp = node.sh("cat /proc/net/udp").splitlines()[1:]

    assert [line for line in addresses.splitlines() if " lo " not in line] == []
    assert [line for line in tcp if line.split()[3] == LISTEN] == []
    # WireGuard's socket is the kernel's own, and always of both families (drivers/net/wireguard/socket.c).
    assert [line for line in udp if not line.split()[1].endswith(f":{MESH_PORT:04X}")] == []


def test_the_network_came_from_the_router(node: Node) -> None:
    network = node.status()["network"]

    assert node.view()["address"] in network["addresses"]
    assert network["gateways"] == ["fe80::1"]
    assert network["resolvers"] == ["2001:db8:1::1"]
    assert network["search"] == ["lab.internal"]


def places(node: Node, word: str) -> set[str]:
    """Where it is seen on the node by others than root, or in a log."""
    return {place for place, _ in canaries.scan(node, {"word": frozenset({word.encode()})})}


def test_the_key_is_nowhere_where_it_can_be_seen(node: Node) -> None:
    assert node.key
    assert places(node, node.key) == set()
    assert node.key not in node.console()


def test_no_private_key_is_readable_by_others(node: Node) -> None:
    assert places(node, "PRIVATE KEY") == set()
    assert any(place.endswith("/pki/ca.crt") for place in places(node, "BEGIN CERTIFICATE"))  # it finds what is there


SEARCH_ETCD = """
import os, sys
for directory, _, files in os.walk('/var/lib/hepto/demo/one/etcd'):
    for name in files:
        with open(os.path.join(directory, name), 'rb') as file:
            data = file.read()
        print(*(word for word in sys.argv[1:] if word.encode() in data))
"""


def test_secrets_are_encrypted_in_etcd(node: Node) -> None:
    canary = "canary-5f3a9c1e7b"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "canary"},
        "stringData": {"word": canary},
    }
    plain: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "plain"},
        "data": {"word": "plain-" + canary[::-1]},
    }
    node.apply(secret, plain)

    done = node.run("/usr/bin/python3", "-I", "-S", "-c", SEARCH_ETCD, canary, plain["data"]["word"])

    assert done.status == 0, done.stderr.decode()
    assert set(done.text.split()) == {plain["data"]["word"]}
    node.kubectl("delete", "secret/canary", "configmap/plain")


def test_the_console_has_said_why_it_waited_and_that_it_is_ready(node: Node) -> None:
    console = node.console()

    assert "waiting for " in console
    assert "ready: node one of cluster demo" in console
    assert f"cluster CA {node.status()['authority']}" in console
    assert "Traceback" not in console
    assert "Kernel panic" not in console
