"""A reboot keeps the cluster;

the power button ends everything in order and leaves a clean file system. Last in this node's life.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hepto.lab import demo
from tests.vm.harness import Node, Quiet, eventually

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200, func_only=True)]

OFF_LIMIT = 150.0
ORDER = ("kubelet", "containerd", "kube-apiserver", "etcd", "agent")


def uid_of_the_cluster(node: Node) -> str:
    found: str = node.get("namespace", "kube-system")["metadata"]["uid"]
    return found


def test_a_reboot_keeps_the_cluster_and_its_pods_come_back(node: Node) -> None:
    node.apply(*demo.objects()["items"])
    node.kubectl("rollout", "status", f"deployment/{demo.NAME}", "--timeout=200s", timeout=220)
    before = {item["metadata"]["uid"] for item in node.get("pods", "-l", f"app={demo.NAME}")["items"]}
    cluster = uid_of_the_cluster(node)
    authority = node.status()["authority"]
    boots = node.view()["boots"]

    node.run("/usr/bin/hepto", "service", "reboot")
    node.connection.wait_for("one", lambda seen: seen["boots"] == boots + 1 and seen["channel"], 300)
    node.wait_ready()

    assert uid_of_the_cluster(node) == cluster
    assert node.status()["authority"] == authority
    earlier = eventually(lambda: node.status()["boot_before"], "the boot before is known")
    assert earlier["end"] == "it was ended by a reboot"
    saw = eventually(lambda: demo.show(node.connection, Quiet()), "both pods answer again", 200)
    assert len(saw.answers) == demo.REPLICAS
    assert {item["metadata"]["uid"] for item in node.get("pods", "-l", f"app={demo.NAME}")["items"]} == before


def test_services_came_back_without_being_started_twice(node: Node) -> None:
    assert node.started_again() == {}
    assert json.loads(node.connection.read("one", "/run/hepto/boot.json"))["compiled"] == 0


def test_the_power_button_ends_everything_in_order_and_leaves_a_clean_disk(node: Node) -> None:
    length = len(node.console())
    node.connection.power("one", "button")
    seen = node.connection.wait_for("one", lambda found: not found["on"], OFF_LIMIT)
    said = node.console()[length:]

    assert seen["reason"] == "guest-shutdown"
    steps = "\n".join(line for line in said.splitlines() if re.match(r"poweroff \d+/\d+: ", line))
    places = [match.start() if (match := re.search(rf"\b{name}\b", steps)) else -1 for name in ORDER]
    assert -1 not in places, said
    assert places == sorted(places), said

    assert_clean(node)


def assert_clean(node: Node) -> None:
    """Its data disk was unmounted and is whole."""
    disk = node.connection.where.node(node.name).data
    checker = shutil.which("e2fsck", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert checker, "e2fsprogs is part of every Debian"
    checked = subprocess.run([checker, "-f", "-n", disk], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    superblock = read_superblock(disk)
    assert superblock[0x3A:0x3C] == b"\x01\x00"  # s_state: EXT4_VALID_FS, cleanly unmounted
    assert not superblock[0x60] & 0x4  # s_feature_incompat: no journal to be recovered


def read_superblock(disk: Path) -> bytes:
    with disk.open("rb") as file:
        file.seek(1024)
        return file.read(1024)


def test_it_can_be_switched_on_again(node: Node) -> None:
    node.connection.power("one", "on")
    node.connection.wait_for("one", lambda seen: seen["channel"], 120)

    assert json.loads(node.connection.read("one", "/run/hepto/boot.json"))["phases"]


def test_it_is_switched_off_for_those_that_come_after(node: Node) -> None:
    """Nobody needs it any more, and an idle cluster takes most of a processor here."""
    node.connection.power("one", "off")

    assert not node.connection.wait_for("one", lambda seen: not seen["on"], 30)["on"]
