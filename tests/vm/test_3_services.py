"""kill -9 of any service is healed, no other service is touched by it, and what there is to know of it is kept."""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import guest
from init.contract import boots, paths
from init.contract.service import Restart, Service
from tests.vm.harness import APISERVER, GAVE_UP, Node, eventually
from tests.vm.test_1_boot import STACK

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500, func_only=True)]

BUILT_IN = {"agent", "logger"}
KILLED = "killed by signal 9 (SIGKILL)"

HEAL_LIMIT = 600.0
"""An apiserver takes a third of a boot to be ready, and on a busy machine gives up several times, a minute each."""


def settled(node: Node) -> bool:
    return all(found["state"] in ("ready", "down") for found in node.services().values())


@pytest.mark.parametrize("service", sorted(STACK | BUILT_IN | {"chrony"}))
def test_a_killed_service_comes_back_and_no_other_is_touched(node: Node, service: str) -> None:
    eventually(lambda: settled(node), "all services run", HEAL_LIMIT, node.services)
    before = node.service_pids()
    seen = node.services()[service]
    node.sh(f"kill -9 {before[service]}")

    def healed() -> bool:
        found = node.services()[service]
        return bool(found["state"] == "ready" and found["pid"] != before[service])

    eventually(healed, f"{service} is ready again", HEAL_LIMIT, lambda: node.services()[service])
    after = node.service_pids()

    assert {name: pid for name, pid in after.items() if name != service} == {
        name: pid for name, pid in before.items() if name != service
    }
    ended = reported(node, service, seen["deaths"])
    assert ended[0]["cause"] == KILLED
    # On a slow machine an apiserver may give up by itself: upstream gives its hooks 30 s and a minute once it listens.
    assert service == APISERVER or node.services()[service]["starts"] == seen["starts"] + 1
    assert {one["cause"] for one in ended[1:]} <= {GAVE_UP}, [one["lines"] for one in ended]


def reported(node: Node, service: str, deaths: int) -> list[dict[str, Any]]:
    """The reports of a service's deaths after so many, when there is one."""

    def found() -> list[dict[str, Any]]:
        return [one for one in node.crashes(service) if one["number"] > deaths]

    eventually(lambda: bool(found()), f"{service}'s death has a report", HEAL_LIMIT)
    return found()


def test_each_of_these_deaths_has_a_report_and_is_told(node: Node) -> None:
    killed = STACK | BUILT_IN | {"chrony"}
    eventually(lambda: {one["service"] for one in node.crashes()} >= killed, "all reports", HEAL_LIMIT)
    reports = {one["service"]: one for one in node.crashes() if one["cause"] == KILLED}

    for name in killed:
        assert reports[name]["up"] > 0
        assert reports[name]["memory_peak"] > 1 << 20
    assert reports["kubelet"]["lines"]
    services = node.services()
    told = node.run("/usr/bin/hepto", "status").text
    assert all(services[name]["deaths"] >= 1 for name in killed)
    assert "kubelet died" in told
    assert "hepto service crashes kubelet" in told


@contextlib.contextmanager
def another(node: Node, name: str, service: Service) -> Iterator[None]:
    """A service beside those that the agent plans; its file is written by rename."""
    guest.give(node.connection, node.name, name, service)
    try:
        yield
    finally:
        node.sh(f"rm -f {paths.service_file(name)}")
        eventually(lambda: name not in node.services(), f"{name} is gone", explain=node.services)


def test_who_keeps_dying_is_named_on_the_console_once_with_its_last_lines(node: Node) -> None:
    looper = Service(("/bin/sh", "-c", "echo no space here; exit 1"), restart=Restart(step=0.05, cap=0.2))
    before = len(node.console())
    with another(node, "looper", looper):
        node.wait_console("  looper: no space here")
        starts = node.services()["looper"]["starts"]
        eventually(lambda: node.services()["looper"]["starts"] > starts + 20, "it is tried on and on")
    said = [line for line in node.console()[before:].splitlines() if line.lstrip().startswith("looper")]

    assert [line.partition(":")[0] for line in said] == [
        "looper died",
        "looper keeps dying, 3 times now, last",
        "  looper",
    ]


def test_the_kernel_s_messages_are_a_log_without_secrets(node: Node) -> None:
    def heard() -> str:
        text = node.run("/usr/bin/hepto", "logs", "kernel", "--since", "boot").text
        return text if "user space: a word from a test" in text else ""

    node.sh("echo '<4>a word from a test' > /dev/kmsg")
    text = eventually(heard, "its line")

    assert re.search(r"\[ +0\.\d{6}\] ", text), "of the kernel's first second; the very first may be overwritten"
    assert "messages are missing" not in text
    assert node.key not in text
    assert "kernel" in json.loads(node.run("/usr/bin/hepto", "logs", "--json").stdout)


def test_the_chart_of_the_boot_has_all_that_came_up(node: Node) -> None:
    chart = json.loads(node.run("/usr/bin/hepto", "boot-chart", "--json").stdout)
    rows = {(row["section"], row["name"]): row for row in chart["rows"]}

    assert chart["ready"] > 0
    assert {name for section, name in rows if section == "services"} >= STACK | BUILT_IN
    assert {name for section, name in rows if section == "steps of the agent"} >= {"underlay", "plan", "node object"}
    assert any(section == "the node waits for" for section, _ in rows)
    for name in STACK:
        begin = {one["what"]: one["begin"] for one in rows["services", name]["stretches"]}
        assert begin["starts"] <= begin["ready"] <= chart["ready"] * 1.05
    assert ET.fromstring(node.run("/usr/bin/hepto", "boot-chart").text).tag.endswith("svg")


def test_the_node_is_ready_after_all_of_that(node: Node) -> None:
    eventually(lambda: node.status()["ready"], "the node is Ready", HEAL_LIMIT, lambda: node.status()["line"])


def test_a_killed_channel_is_served_anew(node: Node) -> None:
    """The lab's own service: the holder finds the new one although the old one's last words were cut."""
    before = node.service_pids()["lab"]
    number = node.connection.request("one", ("/bin/sh", "-c", f"kill -9 {before}; cat /dev/zero"))

    with pytest.raises(Exception, match="closed its lab channel"):
        list(node.connection.answers(number, 60))
    eventually(lambda: node.service_pids()["lab"] != before, "the channel is served by another process")


def test_a_boot_that_nobody_shut_down_is_told_by_the_next_one(node: Node) -> None:
    """Last here: the machine is reset. Its reports are still there."""
    boots_before = node.view()["boots"]
    node.connection.power("one", "reset")
    node.connection.wait_for("one", lambda seen: seen["boots"] == boots_before + 1 and seen["channel"], HEAL_LIMIT)
    node.wait_ready()
    before = eventually(lambda: node.status()["boot_before"], "the boot before is known")  # half a minute later

    assert (before["orderly"], before["end"]) == (False, boots.UNKNOWN)
    assert before["began"] < before["last"]
    assert f"the boot before: {boots.UNKNOWN}" in node.run("/usr/bin/hepto", "status").text
    assert node.run("/usr/bin/hepto", "boot-chart", "--before", "--text").text.startswith(f"Boot of {node.name}: ready")
    assert {one["service"] for one in node.crashes()} >= STACK
    assert not any(service["deaths"] for service in node.services().values())
