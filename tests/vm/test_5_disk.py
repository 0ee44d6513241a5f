"""Data disks that are full, have no inode left or fail, under two nodes without Kubernetes: a master and one more.

Gossip and mesh go on, the cause is on the console and in the status, no service is restarted, and all is well when the
cause is gone; a file system that the kernel has given up is checked at a boot.
"""

from collections.abc import Iterator

import pytest

from hepto.lab import disk
from tests.vm import harness
from tests.vm.harness import Node, all_reach_all, eventually, reach_each_other

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(400, func_only=True)]

MEBIBYTES = 64
"""Of each disk: so small that its inodes can be used up."""
FAILS = ("the data disk fails", "the data disk is read-only")
TAKE_INODES = """
import os
os.mkdir("/var/lib/hepto/many")
try:
    for number in range(1 << 20):
        os.close(os.open(f"/var/lib/hepto/many/{number}", os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, Node]]:
    lab, key = harness.planned("disk", nodes=2, options=("hepto.debug=no-kube",), disk=MEBIBYTES)
    with harness.several(lab, key) as nodes:
        yield nodes


def of_disk(node: Node) -> list[str]:
    return [wait["what"] for wait in node.status()["waits"] if wait["reason"] == "data disk"]


def goes_on(nodes: dict[str, Node], node: Node, before: dict[str, int]) -> None:
    """Nothing was restarted, everybody sees everybody, packets pass."""
    assert node.service_pids() == before
    for one in nodes.values():
        assert one.members() == {"one": "alive", "two": "alive"}
    assert all_reach_all(nodes.values())


def says(node: Node, text: str) -> None:
    """In its status, in a line on the console."""
    eventually(lambda: any(text in what for what in of_disk(node)), f"{node.name} says {text!r}", 120, node.status)
    assert text in node.status()["line"]
    node.wait_console(text)


def says_that_it_fails(node: Node) -> None:
    """First that input and output fail, then, once the kernel could not write its journal, that it is read-only."""
    eventually(lambda: any(text.startswith(FAILS) for text in of_disk(node)), f"{node.name} says so", 120, node.status)
    node.wait_console("the data disk")


def recovers(node: Node) -> None:
    eventually(lambda: node.status()["ready"], f"{node.name} waits for nothing", 120, node.status)


def test_a_full_disk_of_the_master_is_named_and_the_cluster_goes_on(nodes: dict[str, Node]) -> None:
    node, before = nodes["one"], nodes["one"].service_pids()

    disk.change(node.connection, "one", "full")
    says(node, "the data disk is full: ")
    goes_on(nodes, node, before)
    assert "data disk" in node.run("/usr/bin/hepto", "logs", "agent").text

    disk.change(node.connection, "one", "ok")
    recovers(node)
    goes_on(nodes, node, before)


def test_a_disk_without_inodes_is_named_and_the_node_goes_on(nodes: dict[str, Node]) -> None:
    node, before = nodes["two"], nodes["two"].service_pids()

    assert "No space left" in node.run("/usr/bin/python3", "-I", "-c", TAKE_INODES).text
    says(node, "has no inode for another file: 0 of")
    goes_on(nodes, node, before)

    node.sh("rm -r /var/lib/hepto/many")
    recovers(node)
    goes_on(nodes, node, before)


def test_a_disk_that_fails_is_named_and_a_boot_brings_it_back(nodes: dict[str, Node]) -> None:
    node, before = nodes["one"], nodes["one"].service_pids()
    authority, boots = node.status()["authority"], node.view()["boots"]

    disk.change(node.connection, "one", "broken")
    says_that_it_fails(node)
    goes_on(nodes, node, before)
    node.run("/usr/bin/hepto", "service", "restart", "agent")
    eventually(lambda: node.services()["agent"]["starts"] == 2, "a new agent", 60)
    says_that_it_fails(node)
    assert "cannot be read" in node.run("/usr/bin/hepto", "logs", "agent").text
    assert node.services()["agent"]["deaths"] == 0, "who cannot read who it is waits"

    disk.change(node.connection, "one", "ok")
    node.connection.power("one", "reset")
    node.connection.wait_for("one", lambda seen: seen["boots"] == boots + 1 and seen["channel"], 120)
    recovers(node)
    assert node.status()["authority"] == authority
    reach_each_other(nodes.values(), 120)


@pytest.mark.long
@pytest.mark.timeout(1200, func_only=True)
def test_a_node_boots_by_itself_when_a_disk_answers_again_that_has_failed(nodes: dict[str, Node]) -> None:
    node, boots = nodes["two"], nodes["two"].view()["boots"]
    eventually(lambda: float(node.sh("cat /proc/uptime").split()[0]) > 310, "it has run well for five minutes", 400)

    disk.change(node.connection, "two", "broken")
    says_that_it_fails(node)
    disk.change(node.connection, "two", "ok")

    node.wait_console("the data disk answers again: rebooting", 120)
    node.connection.wait_for("two", lambda seen: seen["boots"] == boots + 1 and seen["channel"], 300)
    recovers(node)
    reach_each_other(nodes.values(), 120)
