"""kill -9 of any service is healed, and no other service is touched by it."""

import pytest

from tests.vm.harness import Node, eventually
from tests.vm.test_1_boot import STACK

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900, func_only=True)]

BUILT_IN = {"agent", "logger"}


HEAL_LIMIT = 300.0
"""An apiserver takes a third of a boot to be ready."""


def settled(node: Node) -> bool:
    return all(found["state"] in ("ready", "down") for found in node.services().values())


def pids(node: Node) -> dict[str, int]:
    return {name: found["pid"] for name, found in node.services().items() if found["pid"]}


@pytest.mark.parametrize("service", sorted(STACK | BUILT_IN | {"chrony"}))
def test_a_killed_service_comes_back_and_no_other_is_touched(node: Node, service: str) -> None:
    eventually(lambda: settled(node), "all services run", HEAL_LIMIT, node.services)
    before = pids(node)
    starts = node.services()[service]["starts"]
    node.sh(f"kill -9 {before[service]}")

    def healed() -> bool:
        found = node.services()[service]
        return bool(found["state"] == "ready" and found["pid"] != before[service])

    eventually(healed, f"{service} is ready again", HEAL_LIMIT, lambda: node.services()[service])
    after = pids(node)

    assert {name: pid for name, pid in after.items() if name != service} == {
        name: pid for name, pid in before.items() if name != service
    }
    assert node.services()[service]["starts"] == starts + 1


def test_the_node_is_ready_after_all_of_that(node: Node) -> None:
    eventually(lambda: node.status()["ready"], "the node is Ready", HEAL_LIMIT, lambda: node.status()["line"])


def test_a_killed_channel_is_served_anew(node: Node) -> None:
    """The lab's own service: the holder finds the new one although the old one's last words were cut."""
    before = pids(node)["lab"]
    number = node.connection.request("one", ("/bin/sh", "-c", f"kill -9 {before}; cat /dev/zero"))

    with pytest.raises(Exception, match="closed its lab channel"):
        list(node.connection.answers(number, 60))
    eventually(lambda: pids(node)["lab"] != before, "the channel is served by another process")
