"""What a user gets wrong is said on the console, and nothing is started on it.

Three machines at once, none with Kubernetes.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.lab import plan
from tests.vm import harness

pytestmark = [pytest.mark.vm, pytest.mark.timeout(300, func_only=True)]

FOREIGN = b"XFSB"  # the magic of an XFS superblock
STACK = {"etcd", "kubelet", "containerd", "kube-apiserver"}


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, harness.Node]]:
    """wrong: an unknown option and no key. foreign: a data disk that is somebody else's."""
    disk: Path = tmp_path_factory.mktemp("disk") / "foreign.raw"
    disk.write_bytes(FOREIGN + b"\x00" * 508 + b"x" * (4 << 20))
    image = harness.image()
    wish = plan.Wish(name="bad", image=str(image), memory=1024, cpus=1)
    qemu = harness.qemu(image)
    wrong = plan.lab(dataclasses.replace(wish, node="wrong", options=("hepto.clutser=x",)), qemu, None)
    foreign = plan.lab(dataclasses.replace(wish, node="foreign", disk_from=str(disk)), qemu, "00" * 32)
    with harness.running(dataclasses.replace(wrong, nodes=(*wrong.nodes, *foreign.nodes))) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def lonely() -> Iterator[harness.Node]:
    """A node in a network without a router."""
    lab, key = harness.planned("lonely", node="lonely", memory=1024, cpus=1, advertise=False)
    with harness.running(lab, key) as nodes:
        yield nodes["lonely"]


def test_all_mistakes_are_said_at_once_with_the_nearest_name(machines: dict[str, harness.Node]) -> None:
    node = machines["wrong"]
    node.wait_console("hepto.clutser")
    node.wait_console("hepto.cluster")  # the nearest known name
    node.wait_console("key")

    assert node.view()["on"]


def test_a_bad_configuration_starts_nothing(machines: dict[str, harness.Node]) -> None:
    node = machines["wrong"]
    harness.eventually(lambda: node.status()["mistakes"], "the agent lists the mistakes")

    assert len(node.status()["mistakes"]) >= 2
    assert node.services().keys().isdisjoint(STACK)


def test_a_foreign_disk_is_named_and_not_touched(machines: dict[str, harness.Node]) -> None:
    node = machines["foreign"]
    node.wait_console("data disk")
    harness.eventually(lambda: node.view()["channel"], "the channel is served all the same")

    assert node.services().keys().isdisjoint(STACK)
    with Path(node.view()["data"]).open("rb") as disk:
        assert disk.read(1024) == FOREIGN + b"\x00" * 508 + b"x" * 512


def test_without_a_router_the_node_says_so(lonely: harness.Node) -> None:
    lonely.wait_console("waiting for router")

    assert not lonely.status()["ready"]
