"""What will not end does not keep a machine from ending: pods that are deaf to SIGTERM, a containerd that does nothing.

One full node with a hardware watchdog, which has to leave it alone all the time.
"""

from collections.abc import Iterator

import pytest

from hepto.lab import demo
from init.shutdown import KILL_SECONDS, STEPS
from tests.vm import harness
from tests.vm.harness import Node, eventually
from tests.vm.test_4_power import assert_clean

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(1800, func_only=True)]

LIMIT = sum(step.seconds for step in STEPS) + KILL_SECONDS
"""Seconds that no shutdown may take."""
BACK_LIMIT = 300.0
DEAF = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "deaf"},
    "spec": {
        "restartPolicy": "Never",
        "containers": [demo.container("deaf", "trap '' TERM; while :; do sleep 1; done")],
    },
}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with harness.ready("stubborn", watchdog=True) as node:
        yield node


def test_pods_that_ignore_sigterm_are_killed_after_their_time_and_the_machine_reboots(node: Node) -> None:
    node.apply(DEAF)
    node.kubectl("wait", "--for=condition=Ready", "pod/deaf", "--timeout=100s", timeout=120)
    length, boots = len(node.console()), node.view()["boots"]

    node.run("/usr/bin/hepto", "service", "reboot")
    node.wait_console("stop pods", LIMIT)
    node.connection.wait_for(node.name, lambda seen: seen["boots"] == boots + 1, LIMIT)
    said = node.console()[length:]

    assert "pods did not end within 30 s, killed" in said
    assert "not done within" not in said
    assert boots == 1  # the watchdog had no reason


def test_a_containerd_that_does_nothing_is_killed_and_the_machine_is_switched_off(node: Node) -> None:
    node.connection.wait_for(node.name, lambda seen: seen["channel"], BACK_LIMIT)
    node.wait_ready()
    earlier = eventually(lambda: node.status()["boot_before"], "the boot before is known")
    assert earlier["end"] == "it was ended by a reboot"
    node.apply(*demo.objects()["items"])
    node.kubectl("rollout", "status", f"deployment/{demo.NAME}", "--timeout=200s", timeout=220)
    length = len(node.console())
    node.sh(f"kill -STOP {node.service_pids()['containerd']}")

    node.connection.power(node.name, "button")
    seen = node.connection.wait_for(node.name, lambda found: not found["on"], LIMIT)
    said = node.console()[length:]

    assert seen["reason"] == "guest-shutdown"
    assert "containerd: did not end within 10 s, killed" in said
    assert "not done within" not in said
    assert_clean(node)
