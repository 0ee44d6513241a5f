"""What a cluster of several nodes looks like through its first node, which is the master."""

from typing import Any

from hepto.lab import demo
from tests.vm.harness import Node, Quiet

Nodes = dict[str, Node]

REACH = "wget -q -T 5 -O - http://[{address}]:{port}/"
"""For a shell on a node or in a pod: a pod of the demo answers with its name."""


def show(nodes: Nodes) -> tuple[demo.Pod, ...]:
    """The demo; it must be complete."""
    found = demo.show_all(nodes["one"].connection, Quiet())
    assert demo.complete(found), demo.table(found)
    return found


def objects(nodes: Nodes) -> dict[str, dict[str, Any]]:
    """The Node objects by name."""
    return {item["metadata"]["name"]: item for item in nodes["one"].get("nodes")["items"]}


def is_ready(item: dict[str, Any]) -> bool:
    """Of a Node object."""
    return any(found["type"] == "Ready" and found["status"] == "True" for found in item["status"]["conditions"])


def all_ready(nodes: Nodes) -> bool:
    """The Node objects are those of the lab, and all of them are Ready."""
    found = objects(nodes)
    return found.keys() == nodes.keys() and all(map(is_ready, found.values()))


def pod_on(nodes: Nodes, node: str) -> demo.Pod:
    """The pod of the demo that runs there."""
    items = nodes["one"].get("pods", "-l", f"app={demo.NAME}")["items"]
    return next(pod for pod in demo.pods(items) if pod.node == node)


def started_again(nodes: Nodes) -> dict[str, dict[str, int]]:
    """By node, and there by service: how often those were started that were not started exactly once."""
    found = {name: node.started_again() for name, node in nodes.items()}
    return {name: starts for name, starts in found.items() if starts}


def lives(nodes: Nodes) -> dict[str, tuple[str, int]]:
    """By pod: its UID, and how often its containers were started again. What was replaced or restarted has others."""
    return {
        item["metadata"]["name"]: (
            item["metadata"]["uid"],
            sum(found["restartCount"] for found in item["status"]["containerStatuses"]),
        )
        for item in nodes["one"].get("pods")["items"]
    }
