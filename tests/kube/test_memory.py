"""Memory, files and order of death are one table."""

import pytest

from hepto.kube.memory import NEEDS, environment, limits
from hepto.kube.plan import plan
from tests.kube.example import FULL


def test_every_service_is_in_the_table() -> None:
    assert set(plan(FULL).services) == set(NEEDS)


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_a_service_runs_as_the_table_says(name: str) -> None:
    service = plan(FULL).services[name]

    assert dict(service.env) == environment(name)
    if name != "images":
        assert (service.limits, service.oom_score_adj) == (limits(name), NEEDS[name].oom)


def test_the_apiserver_and_its_store_go_first() -> None:
    assert {name for name in NEEDS if limits(name).cpu_weight == 400} == {"etcd", "kube-apiserver"}


def test_processors_are_not_limited() -> None:
    assert not any("GOMAXPROCS" in environment(name) for name in NEEDS)


def test_what_is_kept_from_workloads_fits_a_small_machine() -> None:
    """A VM of 1 GiB must have room for pods beside what cannot be reclaimed."""
    assert sum(need.keep for need in NEEDS.values()) <= 512


def test_workloads_die_before_the_node_and_etcd_and_containerd_last() -> None:
    assert all(-1000 < need.oom < -500 for need in NEEDS.values())
    assert {name for name, need in NEEDS.items() if need.oom == -900} == {"etcd", "containerd"}
