"""A pod that eats all memory and a pod that forks without end harm none but themselves (and what is as dispensable).

Pods of the other QoS classes live on, PID 1, agent, kubelet and all other services are the same processes as before,
gossip and `hepto status` answer all the time. Before test_4_power.py, which ends this node's life.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from hepto.errors import UserError
from hepto.lab import demo
from init.contract import paths
from tests.vm.harness import Node, eventually, throughout
from tests.vm.test_3_services import HEAL_LIMIT, settled

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900, func_only=True)]

WAIT = "trap exit TERM; while :; do sleep 1; done"
EAT = "exec dd if=/dev/zero of=/dev/null bs=2000M count=1"
"""One read into a buffer that is nearly all of the machine's memory."""
FORK = "bomb() { while :; do bomb & done; }; bomb"
BOMB_SECONDS = 30.0
QUALITY = {
    "guaranteed": {"limits": {"cpu": "50m", "memory": "32Mi"}},
    "burstable": {"requests": {"memory": "16Mi"}},
}
PROCESSES = f"cat {paths.CGROUP_PODS}/besteffort/pod*/pids.events 2>/dev/null; true"


def pod(name: str, script: str, resources: dict[str, Any] | None = None) -> dict[str, Any]:
    """A pod of one container that is not started again."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"test": "greed"}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "containers": [demo.container(name, script, resources=resources or {})],
        },
    }


@pytest.fixture(scope="module")
def bystanders(node: Node) -> Iterator[None]:
    """A Guaranteed and a Burstable pod that run."""
    node.apply(*(pod(name, WAIT, resources) for name, resources in QUALITY.items()))
    node.kubectl("wait", "--for=condition=Ready", "pod", "-l", "test=greed", "--timeout=100s", timeout=120)
    classes = {item["metadata"]["name"]: item["status"]["qosClass"].lower() for item in pods(node)}
    assert classes == {name: name for name in QUALITY}
    yield
    node.kubectl("delete", "pod", "-l", "test=greed", "--timeout=100s", timeout=120)


def pods(node: Node) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.get("pods", "-l", "test=greed")["items"]
    return found


def of(node: Node, name: str) -> dict[str, Any]:
    return next(item for item in pods(node) if item["metadata"]["name"] == name)


def untouched(node: Node) -> dict[str, Any]:
    """What greed must not change: the boot, the services' processes, the bystanders' containers."""
    containers = {
        item["metadata"]["name"]: [found["containerID"] for found in item["status"]["containerStatuses"]]
        for item in pods(node)
        if item["metadata"]["name"] in QUALITY and item["status"]["phase"] == "Running"
    }
    return {
        "boot": node.connection.read(node.name, "/proc/sys/kernel/random/boot_id"),
        "services": node.service_pids(),
        "pods": containers,
    }


def answers(node: Node) -> bool:
    """Gossip and status, each asked from a new process on the node."""
    try:
        return node.members() == {node.name: "alive"} and bool(node.status()["line"])
    except (UserError, TimeoutError, KeyError, ValueError):
        return False


def came_to_its_limit(node: Node) -> bool:
    """The kernel has refused a pod another process."""
    return any(int(line.split()[1]) for line in node.sh(PROCESSES).splitlines() if line.startswith("max "))


@pytest.mark.usefixtures("bystanders")
def test_a_pod_that_eats_all_memory_dies_alone(node: Node) -> None:
    eventually(lambda: settled(node), "all services run", HEAL_LIMIT, node.services)
    before = untouched(node)
    assert before["pods"].keys() == QUALITY.keys()
    heard = []

    def killed() -> bool:
        heard.append(answers(node))
        (container,) = of(node, "eater")["status"]["containerStatuses"]
        return bool(container["state"]["terminated"]["reason"] == "OOMKilled")

    node.apply(pod("eater", EAT))
    eventually(killed, "the pod was killed for want of memory", explain=lambda: of(node, "eater")["status"])

    assert all(heard)
    assert untouched(node) == before


@pytest.mark.long  # two minutes
@pytest.mark.usefixtures("bystanders")
def test_a_pod_that_forks_without_end_comes_to_its_limit_and_no_other_notices(node: Node) -> None:
    before = untouched(node)
    assert not came_to_its_limit(node)
    node.apply(pod("bomb", FORK))
    eventually(lambda: came_to_its_limit(node), "it has come to its limit", explain=lambda: node.sh(PROCESSES))

    throughout(lambda: answers(node), "gossip and status answer", BOMB_SECONDS)
    assert untouched(node) == before
    node.kubectl("delete", "pod", "bomb", "--timeout=200s", timeout=220)
    assert untouched(node) == before
