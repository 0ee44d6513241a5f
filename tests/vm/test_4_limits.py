"""A service that eats memory dies of its own limit and no other with it; shims die last.

Before test_4_power.py, which ends this node's life.
"""

import signal

import pytest

from hepto.lab import demo
from init.cgroups import SHIM_SCORE
from init.contract import paths
from init.contract.service import Limits, Service
from tests.vm.harness import Node, eventually
from tests.vm.test_3_services import HEAL_LIMIT, pids, settled

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600, func_only=True)]

NAME = "eater"
LIMIT_BYTES = 32 << 20
EAT = "eaten = []\nwhile True:\n    eaten.append(b'x' * (1 << 20))\n"
EATER = Service((paths.PYTHON, "-I", "-S", "-c", EAT), limits=Limits(memory_max=LIMIT_BYTES))
GROUP = f"{paths.CGROUP_SERVICES}/{NAME}"
LOOK = f"cat {GROUP}/memory.max {GROUP}/memory.events"

SCORES = f"""
for pid in $(cat {paths.CGROUP_SHIMS}/cgroup.procs); do
    read -r _ _ _ parent _ < /proc/$pid/stat && [ "$parent" = 1 ] && cat /proc/$pid/oom_score_adj
done 2> /dev/null || true
"""


def write(node: Node, name: str, service: Service) -> None:
    """A service file, by rename."""
    temporary = f"{paths.SERVICES}/.{name}.json.tmp"
    done = node.run(
        "/bin/sh", "-c", f"cat > {temporary} && mv {temporary} {paths.service_file(name)}", stdin=service.dump()
    )
    assert done.status == 0, done.stderr


def test_one_that_eats_memory_is_killed_by_its_own_limit_and_started_again(node: Node) -> None:
    eventually(lambda: settled(node), "all services run", HEAL_LIMIT, node.services)
    before = pids(node)
    write(node, NAME, EATER)
    try:

        def killed_and_started_again() -> bool:
            found = node.services()[NAME]
            last, (limit, *events) = found["last_exit"], node.sh(LOOK).splitlines()
            assert limit == str(LIMIT_BYTES)
            assert "oom_kill 0" not in events
            return bool(found["starts"] > 1 and (last["kind"], last["value"]) == ("signal", signal.SIGKILL))

        eventually(killed_and_started_again, f"{NAME} was killed and started again", explain=node.services)
    finally:
        node.sh(f"rm -f {paths.service_file(NAME)}")
        eventually(lambda: NAME not in node.services(), f"{NAME} is gone", explain=node.services)

    assert pids(node) == before


def test_shims_are_the_last_to_die_for_want_of_memory(node: Node) -> None:
    """PID 1 looks for new ones every ten seconds."""
    node.apply(*demo.objects()["items"])
    node.kubectl("rollout", "status", f"deployment/{demo.NAME}", "--timeout=200s", timeout=220)

    def spared() -> bool:
        return set(node.sh(SCORES).split()) == {str(SHIM_SCORE)}

    eventually(spared, "every shim has its score", explain=lambda: node.sh(SCORES))
