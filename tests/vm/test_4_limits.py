"""A service that eats memory dies of its own limit and no other with it, as its report says; shims die last.

Before test_4_power.py, which ends this node's life.
"""

import pytest

from hepto.lab import demo
from init.cgroups import SHIM_SCORE
from init.contract import paths
from init.contract.service import Limits, Service
from tests.vm.harness import Node, eventually
from tests.vm.test_3_services import HEAL_LIMIT, another, settled

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600, func_only=True)]

NAME = "eater"
LIMIT_BYTES = 32 << 20
EAT = "print('eats', flush=True)\neaten = []\nwhile True:\n    eaten.append(b'x' * (1 << 20))\n"
EATER = Service((paths.PYTHON, "-I", "-S", "-c", EAT), limits=Limits(memory_max=LIMIT_BYTES))
GROUP = f"{paths.CGROUP_SERVICES}/{NAME}"

SCORES = f"""
for pid in $(cat {paths.CGROUP_SHIMS}/cgroup.procs); do
    read -r _ _ _ parent _ < /proc/$pid/stat && [ "$parent" = 1 ] && cat /proc/$pid/oom_score_adj
done 2> /dev/null || true
"""


def test_one_that_eats_memory_is_killed_by_its_own_limit_and_started_again(node: Node) -> None:
    eventually(lambda: settled(node), "all services run", HEAL_LIMIT, node.services)
    before = node.service_pids()
    with another(node, NAME, EATER):

        def killed_and_started_again() -> bool:
            found = node.services()[NAME]
            assert node.sh(f"cat {GROUP}/memory.max").split() == [str(LIMIT_BYTES)]
            return bool(found["starts"] > 1 and found["last_death"]["out_of_memory"])

        eventually(killed_and_started_again, f"{NAME} was killed and started again", explain=node.services)
        report, *_ = eventually(lambda: node.crashes(NAME), "the report")

    assert report["cause"] == "killed by signal 9 (SIGKILL), out of memory"
    assert LIMIT_BYTES // 2 <= report["memory_peak"] <= LIMIT_BYTES
    assert report["lines"] == ["eats"]
    assert node.service_pids() == before


def test_shims_are_the_last_to_die_for_want_of_memory(node: Node) -> None:
    """PID 1 looks for new ones every ten seconds."""
    node.apply(*demo.objects()["items"])
    node.kubectl("rollout", "status", f"deployment/{demo.NAME}", "--timeout=200s", timeout=220)

    def spared() -> bool:
        return set(node.sh(SCORES).split()) == {str(SHIM_SCORE)}

    eventually(spared, "every shim has its score", explain=lambda: node.sh(SCORES))
