"""A PID 1 that hangs, a shutdown that hangs and a file system that hangs: the machine comes to an end all the same.

One node without Kubernetes, with a hardware watchdog. PID 1 cannot be stopped by a signal, but the control group that
it is in can be frozen: then its loop stands still, and all else goes on.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import guest
from init.contract import boots, paths
from init.contract.service import Service, Stop
from init.power import WATCHDOG_SECONDS
from init.shutdown import WATCHDOG_SECONDS as LAST_SECONDS
from tests.vm import harness
from tests.vm.harness import Node, eventually, throughout
from tests.vm.test_4_power import assert_clean
from tests.vm.test_5_stubborn import LIMIT

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(1200, func_only=True)]

FREEZE = f"echo 1 > {paths.CGROUP_INIT}/cgroup.freeze"
HELD = "ls -l /proc/1/fd | grep -q /dev/watchdog && echo held || true"
BACK_LIMIT = 300.0
DEAF = Service(("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"), stop=Stop(timeout=60.0))
PROGRAM = Path(__file__).parent / "programs/hang.py"
HUNG = "/run/hung"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Its agent has named the data directory, so what is learned of a boot outlives it."""
    lab, key = harness.planned("watched", options=("hepto.debug=no-kube",), memory=1024, cpus=1, watchdog=True)
    with harness.running(lab, key) as nodes:
        nodes["one"].wait_console("ready: node ")
        yield nodes["one"]


def held(node: Node) -> bool:
    """PID 1 has the watchdog: who stops feeding it now is reset."""
    return node.sh(HELD) == "held"


def back(node: Node, count: int, limit: float) -> None:
    """Wait until the machine has begun for the `count`th time and serves."""
    node.connection.wait_for(node.name, lambda seen: seen["boots"] == count and seen["channel"], limit)
    assert eventually(lambda: node.status()["boot_before"], "the boot before is known")["end"].startswith(
        boots.WATCHDOG
    )


def test_a_loop_that_goes_on_is_left_alone(node: Node) -> None:
    eventually(lambda: held(node), "PID 1 has opened the watchdog")

    throughout(lambda: node.view()["boots"] == 1, "nobody has reset the machine", WATCHDOG_SECONDS + 10)


def test_a_loop_that_stands_still_is_caught_by_the_watchdog(node: Node) -> None:
    node.sh(FREEZE)

    assert node.members()  # the agent does not need PID 1
    back(node, 2, WATCHDOG_SECONDS + BACK_LIMIT)


def test_a_shutdown_that_stands_still_is_caught_by_the_watchdog(node: Node) -> None:
    node.wait_console("ready: node ")
    eventually(lambda: held(node), "PID 1 has opened the watchdog")
    guest.give(node.connection, node.name, "deaf", DEAF)
    eventually(lambda: node.services()["deaf"]["state"] == "ready", "the service runs")
    node.run("/usr/bin/hepto", "service", "poweroff")
    node.wait_console("stop other services")
    node.sh(FREEZE)

    back(node, 3, LAST_SECONDS + BACK_LIMIT)


def test_a_file_system_that_hangs_costs_its_step_and_the_data_disk_is_clean(node: Node) -> None:
    eventually(lambda: held(node), "PID 1 has opened the watchdog")
    node.python(PROGRAM.read_text(), HUNG)
    length = len(node.console())
    node.run("/usr/bin/hepto", "service", "poweroff")
    seen = node.connection.wait_for(node.name, lambda found: not found["on"], LIMIT)
    said = node.console()[length:]

    assert seen["reason"] == "guest-shutdown"
    assert "unmount file systems: not done within 15 s, going on" in said
    assert_clean(node)
