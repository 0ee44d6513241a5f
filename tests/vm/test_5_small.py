"""A full node and two pods run in a machine of 1 GiB. `make bench-memory` looks at one as well."""

from collections.abc import Iterator

import pytest

from hepto.lab import demo
from tests.vm import harness

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.timeout(500, func_only=True)]


@pytest.fixture(scope="module")
def small() -> Iterator[harness.Node]:
    with harness.ready("small", memory=1024) as node:
        yield node


def test_two_pods_answer_on_a_node_of_one_gibibyte(small: harness.Node) -> None:
    saw = demo.show(small.connection, harness.Quiet())

    assert len(saw.answers) == demo.REPLICAS


def test_nothing_was_killed_for_want_of_memory(small: harness.Node) -> None:
    killed = small.sh("sed -n 's/^oom_kill //p' /proc/vmstat")

    assert killed == "0"
    assert small.started_again() == {}
