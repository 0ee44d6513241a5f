"""The order of services."""

from hypothesis import given, settings
from hypothesis import strategies as st

from init import tree
from init.contract.service import Restart

CHAIN = {"etcd": (), "apiserver": ("etcd",), "scheduler": ("apiserver",), "kubelet": ("containerd",), "containerd": ()}


def test_a_service_waits_for_its_first_dependency_that_is_not_ready() -> None:
    assert tree.waits_for("apiserver", CHAIN, set()) == "etcd"
    assert tree.waits_for("apiserver", CHAIN, {"etcd"}) is None
    assert tree.waits_for("etcd", CHAIN, set()) is None


def test_a_dependency_stops_after_those_that_need_it_even_indirectly() -> None:
    everything = list(CHAIN)

    assert tree.holds_up("etcd", CHAIN, everything, everything) == "apiserver"
    assert tree.holds_up("etcd", CHAIN, ["etcd", "scheduler"], everything) == "scheduler"
    assert tree.holds_up("etcd", CHAIN, ["etcd", "kubelet", "containerd"], everything) is None


def test_a_dependent_that_is_to_stay_holds_nobody_up() -> None:
    assert tree.holds_up("etcd", CHAIN, list(CHAIN), ["etcd"]) is None


def test_a_cycle_is_named_and_holds_nobody_up_at_a_stop() -> None:
    ring = {"a": ("b",), "b": ("c",), "c": ("a",)}

    assert tree.cycle("a", ring) == ("a", "b", "c", "a")
    assert tree.cycle("a", CHAIN | {"a": ("etcd",)}) == ()
    assert [tree.holds_up(name, ring, ring, ring) for name in ring] == [None, None, None]


def test_order_puts_dependencies_first() -> None:
    order = tree.order(CHAIN)

    assert sorted(order) == sorted(CHAIN)
    assert order.index("etcd") < order.index("apiserver") < order.index("scheduler")
    assert order.index("containerd") < order.index("kubelet")


names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.lists(names, max_size=4, unique=True).map(tuple))


@settings(deadline=None)
@given(graphs)
def test_order_holds_every_service_once_whatever_the_graph(graph: dict[str, tuple[str, ...]]) -> None:
    assert sorted(tree.order(graph)) == sorted(graph)


@settings(deadline=None)
@given(graphs)
def test_at_a_stop_of_everything_somebody_can_always_stop(graph: dict[str, tuple[str, ...]]) -> None:
    running = set(graph)
    while running:
        free = {name for name in running if tree.holds_up(name, graph, running, graph) is None}

        assert free
        running -= free


def test_the_first_restart_comes_at_once_then_the_wait_doubles_up_to_the_cap() -> None:
    restart = Restart(step=0.1, cap=30.0)

    assert [tree.back_off(restart, failures) for failures in (0, 1, 2, 3, 4)] == [0.0, 0.0, 0.1, 0.2, 0.4]
    assert tree.back_off(restart, 11) == 30.0
    assert tree.back_off(restart, 10**6) == 30.0
