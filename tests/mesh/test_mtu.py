import random
from collections.abc import Callable
from ipaddress import IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.mesh.model import Cut, Echoed, Peers, Probe, SetRoute, Underlay
from hepto.mesh.mtu import AGAIN, MOST_AT_ONCE, PATIENCE, Finding, Prober
from tests.mesh.world import PLAN, World, key, peer, place

ADDRESS = PLAN.node("node1")


class Path:
    """A prober of one peer behind a path that carries outer packets up to a size."""

    def __init__(self, carries: int, *, tells: bool = False, present: int | None = None, interface: int = 1420):
        self.carries, self.tells = carries, tells
        self.is_known = False
        self.prober = Prober(random.Random(1))
        self.present = present
        self.now = 0.0
        self.sizes: list[int] = []
        self.cuts: dict[IPv6Address, int | None] = {}
        self.prober.underlay(interface, 0.0, moved=False)
        self.prober.heard(b"k", ADDRESS, place(1), present, 0.0)

    def run(self, seconds: float) -> "Path":
        end = self.now + seconds
        while (deadline := self.prober.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.prober.tick(self.now)
            for order in self.prober.orders():
                if isinstance(order, Cut):
                    self.cuts[order.address] = order.size
                else:
                    self.sizes.append(order.size)
                    self._carry(order.size, order.sequence)
            self.present = self.prober.wanted(b"k", self.present)
        self.now = end
        return self

    def _carry(self, size: int, sequence: int) -> None:
        lock = self.present or self.prober._ceiling
        last = size % lock if size > lock else size
        outer = size + min(lock, (last + 15) // 16 * 16) - last + 80  # drivers/net/wireguard/send.c
        known = self.cuts.get(place(1).address) or (self.carries if self.is_known else 0)
        if outer <= self.carries or known:
            self.prober.echoed(Echoed(ADDRESS, sequence, known), self.now)
        elif self.tells:
            self.is_known = True

    @property
    def result(self) -> tuple[int | None, Finding]:
        assert self.prober.wanted(b"k", self.present) == self.present
        return self.present, self.prober.finding(b"k")


def test_a_whole_path_takes_one_packet_and_nothing_is_changed() -> None:
    path = Path(1500).run(60)

    assert path.sizes == [1420]
    assert path.result == (None, Finding.WHOLE)
    assert path.prober.size(b"k") == 1420
    assert path.run(AGAIN * 1.3).sizes == [1420, 1420], "seldom"


@pytest.mark.parametrize(
    ("carries", "expected"),
    [(1492, 1408), (1480, 1392), (1472, 1392), (1400, 1312), (1380, 1296), (1368, 1280), (1361, 1280), (1360, 1280)],
)
def test_a_path_that_swallows_what_is_too_large_is_measured_to_16_bytes(carries: int, expected: int) -> None:
    path = Path(carries).run(120)

    assert path.result == (expected, Finding.SMALLER)
    assert len(path.sizes) < 25
    assert path.run(5 * AGAIN).result == (expected, Finding.SMALLER), "measured again with the lower MTU in force"


@pytest.mark.parametrize("silence", [3.0, 5.9, 6.1, 7.0, 11.0, 12.1, 18.1])
@pytest.mark.parametrize(("carries", "expected"), [(1500, None), (1492, 1408), (1400, 1312), (1360, 1280)])
@pytest.mark.parametrize("present", [None, 1312])
def test_a_silence_at_the_beginning_is_not_taken_for_a_narrow_path(
    silence: float, carries: int, expected: int | None, present: int | None
) -> None:
    path = Path(0, present=present)
    path.run(silence)
    path.carries = carries

    assert path.run(AGAIN * 1.3).result == (expected, Finding.WHOLE if expected is None else Finding.SMALLER)


@pytest.mark.parametrize(("carries", "expected"), [(1492, 1412), (1480, 1400), (1361, 1281)])
def test_where_routers_tell_the_kernel_knows_it_to_the_byte(carries: int, expected: int) -> None:
    path = Path(carries, tells=True).run(60)

    assert path.sizes == [1420, 1420]
    assert path.result == (expected, Finding.SMALLER)
    assert path.run(5 * AGAIN).result == (expected, Finding.SMALLER)


@pytest.mark.parametrize("tells", [True, False])
def test_below_1360_bytes_there_are_fragments_and_it_is_said(tells: bool) -> None:
    path = Path(1296, tells=tells).run(60)

    assert path.result == (1280, Finding.FRAGMENTS)
    assert "fragments" in path.prober.finding(b"k")
    assert path.cuts == ({} if tells else {place(1).address: 1280}), "the kernel cuts by itself what it knows"
    assert path.run(5 * AGAIN).result == (1280, Finding.FRAGMENTS)


def test_nothing_is_cut_for_ever() -> None:
    path = Path(1296).run(60)
    path.carries = 1500
    assert path.run(30 * AGAIN).result == (None, Finding.WHOLE)
    assert path.cuts == {place(1).address: None}

    ends: tuple[Callable[[Prober], None], ...] = (
        lambda prober: prober.lost(b"k"),
        lambda prober: prober.forget({b"k"}),
        lambda prober: prober.underlay(1420, 0.0, moved=True),
    )
    for end in ends:
        path = Path(1296).run(60)
        assert path.cuts == {place(1).address: 1280}
        end(path.prober)
        assert path.prober.orders() == (Cut(place(1).address, None),)


def test_a_path_that_grew_is_seen_and_one_that_shrank_too() -> None:
    path = Path(1400).run(60)
    path.carries = 1500

    assert path.run(AGAIN * 1.3).result == (None, Finding.WHOLE)
    path.carries = 1400
    assert path.run(AGAIN * 1.3).result == (1312, Finding.SMALLER)


def test_what_an_agent_before_has_found_is_kept_and_measured_seldom() -> None:
    path = Path(1480, present=1392).run(AGAIN * 0.7)

    assert (path.sizes, path.result) == ([], (1392, Finding.SMALLER))
    assert path.run(AGAIN).result == (1392, Finding.SMALLER)
    assert path.sizes != []


def test_who_answers_no_echo_is_left_as_it_is() -> None:
    path = Path(0).run(60)

    assert path.result == (None, Finding.SILENT)
    assert path.prober.size(b"k") is None
    path.carries = 1400
    assert path.run(600).result == (1312, Finding.SMALLER)


def test_a_short_silence_after_a_move_is_soon_over_and_a_long_one_costs_little() -> None:
    path = Path(1400).run(60)
    path.carries = 0
    path.prober.underlay(1420, path.now, moved=True)
    path.run(25)
    path.carries, path.tells = 1300, True
    assert path.run(60).result == (1280, Finding.FRAGMENTS)

    path.carries, path.is_known, path.tells = 0, False, False
    path.prober.underlay(1420, path.now, moved=True)
    asked = len(path.run(AGAIN).sizes)
    assert len(path.run(AGAIN).sizes) - asked < 9 * 13, "nine probes in five minutes"


def test_another_endpoint_is_measured_at_once() -> None:
    path = Path(1500).run(60)
    path.carries = 1400
    path.prober.heard(b"k", ADDRESS, place(1), None, path.now)
    assert path.run(10).sizes == [1420]

    path.prober.heard(b"k", ADDRESS, place(2), None, path.now)

    assert path.run(60).result == (1312, Finding.SMALLER)


def test_a_larger_underlay_is_measured_and_a_smaller_one_ends_a_lower_mtu() -> None:
    path = Path(9000).run(60)
    path.prober.underlay(8920, path.now, moved=False)
    assert path.run(60).sizes == [1420, 8920]

    path = Path(1480).run(60)
    path.prober.underlay(1320, path.now, moved=False)
    assert path.run(60).result == (None, Finding.WHOLE)


def test_a_lost_packet_or_two_are_no_small_path() -> None:
    path = Path(0)
    path.run(sum(PATIENCE[:2]) - 0.1)
    path.carries = 1500

    assert path.run(60).sizes == [1420] * 3
    assert path.result == (None, Finding.WHOLE)


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    path = Path(0)
    path.prober.tick(0.0)
    (probe,) = path.prober.orders()
    assert isinstance(probe, Probe)

    assert path.prober.echoed(Echoed(ADDRESS, probe.sequence ^ 1), 0.0) is None
    assert path.prober.echoed(Echoed(IPv6Address("::1"), probe.sequence), 0.0) is None
    assert path.prober.echoed(Echoed(ADDRESS, probe.sequence), 0.0) == b"k"
    assert path.prober.echoed(Echoed(ADDRESS, probe.sequence), 0.0) is None


def test_thousands_of_peers_are_measured_some_at_a_time() -> None:
    prober = Prober(random.Random(1))
    prober.underlay(1420, 0.0, moved=False)
    for number in range(1000):
        prober.heard(number.to_bytes(2, "big"), ADDRESS, place(1), None, 0.0)
    answered = 0
    prober.tick(0.0)
    while probes := prober.orders():
        assert len(probes) <= MOST_AT_ONCE
        for probe in probes:
            assert isinstance(probe, Probe)
            answered += prober.echoed(Echoed(ADDRESS, probe.sequence), 0.0) is not None
        prober.tick(0.0)
    assert answered == 1000


@settings(deadline=None)
@given(st.integers(1200, 1600), st.booleans(), st.integers(1280, 1520), st.none() | st.integers(1270, 1530))
def test_the_result_always_gets_through_and_is_never_under_1280(
    carries: int, tells: bool, interface: int, present: int | None
) -> None:
    path = Path(carries, tells=tells, present=present, interface=interface).run(3 * AGAIN)

    mtu, finding = path.result
    size = mtu or interface
    assert 1280 <= size <= interface
    if finding is not Finding.FRAGMENTS:
        assert size + 80 <= carries
        assert size + 80 > min(carries, interface + 80) - 16 or size == interface


# --- in the machine


def answer(world: World, arrives: Callable[[int], bool]) -> None:
    probes, world.probes = world.probes, []
    for probe in probes:
        if arrives(probe.size):
            world.feed(Echoed(probe.address, probe.sequence))


def test_the_routes_of_a_peer_get_its_path_s_mtu_and_a_new_agent_leaves_them() -> None:
    world = World()
    world.feed(Underlay((), 1420), Peers((peer("node1", place(1)), peer("node2", place(2)))))
    world.alive = {place(1), place(2)}
    world.at(0.0)
    world.orders.clear()
    for second in range(1, 60):
        world.at(float(second))
        answer(world, lambda size: size <= 1400)

    node1, node2 = peer("node1"), peer("node2")
    assert [world.routes[network] for network in (*node1.allowed, *node2.allowed)] == [1392] * 4
    assert len(world.orders) == 4
    assert (world.view("node1").mtu, world.view("node1").reason) == (1392, "the path carries no more")

    world.start()
    world.feed(Underlay((), 1420), Peers((node1, node2)))
    world.at(600.0)
    assert world.orders == []
    assert world.view("node1").mtu == 1392

    world.feed(Peers((node1, node2), frozenset({key("node1")})))
    world.at(20_000.0)
    assert {probe.address for probe in world.probes} == {node2.address}
    assert not [order for order in world.orders if isinstance(order, SetRoute) and order.destination in node1.allowed]
