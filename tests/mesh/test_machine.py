from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepto.mesh.model import Own, Peers, RemovePeer, RemoveRoute, SetPeer, SetRoute, State, Underlay
from hepto.wireguard import Endpoint
from tests.mesh.world import OWN, PLAN, World, key, peer, place

A, B, C = place(1), place(2), place(3)


def wish(world: World, *peers: object, revoked: frozenset[bytes] = frozenset()) -> World:
    world.feed(Peers(tuple(peers), revoked))  # type: ignore[arg-type] # only peers are given
    return world.at(world.now)


def test_a_peer_is_set_with_its_routes_after_the_first_dump() -> None:
    world = World()
    world.feed(Peers((peer("node1", A),)))
    assert world.orders == [], "what the kernel has is not known yet"

    world.at(0.0)

    node, pods = peer("node1").allowed
    assert world.orders == [
        SetPeer(key("node1"), A, (node, pods), 25, new=True),
        SetRoute(node, None),
        SetRoute(pods, None),
    ]
    assert (node, pods) == (IPv6Network((PLAN.node("node1"), 128)), PLAN.pod_subnet("node1"))


def test_planning_on_the_result_orders_nothing_nor_does_a_new_agent() -> None:
    world = wish(World(), peer("node1", A), peer("node2", B))
    world.alive = {A, B}
    world.at(300.0)
    world.start()

    world.feed(Peers((peer("node1", A), peer("node2", B))))
    world.at(900.0)

    assert world.orders == []
    assert world.looks > 20


def test_an_agent_that_knows_nobody_yet_removes_nobody() -> None:
    world = wish(World(), peer("node1", A))
    world.start()

    wish(world).at(100.0)

    assert world.orders == []
    wish(world, peer("node1", A))
    assert world.orders == []


def test_who_is_not_named_any_more_stays() -> None:
    world = wish(World(), peer("node1", A), peer("node2", B))
    world.orders.clear()

    wish(world, peer("node2", B)).at(30.0)

    assert not [order for order in world.orders if isinstance(order, RemovePeer)]
    assert set(world.peers) == {key("node1"), key("node2")}
    assert {item.name for item in world.machine.view().peers} == {"node1", "node2"}


def test_a_revoked_peer_goes_at_once_with_its_routes() -> None:
    world = wish(World(), peer("node1", A), peer("node2", B))
    world.at(10.0)
    world.orders.clear()

    world.feed(Peers((peer("node1", A), peer("node2", B)), frozenset({key("node1")})))

    assert set(world.orders) == {RemovePeer(key("node1")), *map(RemoveRoute, peer("node1").allowed)}
    assert ("node1", "revoked") in world.machine.view().refused
    world.start()
    wish(world, peer("node2", B), revoked=frozenset({key("node1")}))
    assert world.orders == []


def test_a_revoked_peer_goes_even_if_it_was_never_named_to_this_agent() -> None:
    world = wish(World(), peer("node1", A))
    world.start()

    wish(world, revoked=frozenset({key("node1")}))

    assert (world.peers, world.routes) == ({}, {})


@pytest.mark.parametrize("restarted", [False, True])
def test_a_name_with_another_key_loses_the_first_and_keeps_its_routes(restarted: bool) -> None:
    world = wish(World(), peer("node1", A))
    if restarted:
        world.start()
    world.orders.clear()

    wish(world, peer("node1", A, serial=2, public_key=b"n" * 32))

    assert set(world.peers) == {b"n" * 32}
    assert set(world.peers[b"n" * 32].allowed) == set(peer("node1").allowed)
    assert world.orders[0] == RemovePeer(key("node1"))
    assert not [order for order in world.orders if isinstance(order, SetRoute | RemoveRoute)]


def test_a_new_endpoint_has_15_seconds_then_the_next_is_tried_and_so_on() -> None:
    world = wish(World(), peer("node1", A, B, C))

    world.at(14.9)
    assert (world.endpoint("node1"), world.view("node1").state) == (A, State.UNKNOWN)
    world.at(18.0)
    assert (world.endpoint("node1"), world.view("node1").state) == (B, State.DOWN)
    world.at(200.0)

    assert world.tried("node1")[:5] == [A, B, C, A, B]
    assert len(world.tried("node1")) < 12, "every minute at last"
    assert world.view("node1").reason == "no answer"


def test_the_endpoint_that_answers_is_kept() -> None:
    world = World()
    world.alive = {B}

    wish(world, peer("node1", A, B)).at(1000.0)

    assert world.tried("node1") == [A, B]
    assert world.view("node1").state is State.UP


def test_a_peer_that_moved_and_was_heard_is_left_to_the_kernel() -> None:
    world = wish(World(), peer("node1", A, B))
    world.at(5.0)
    world.handshake("node1", C)
    world.at(60.0)
    world.orders.clear()

    wish(world, peer("node1", B)).at(180.0)

    assert world.orders == []
    assert world.endpoint("node1") == C
    world.at(240.0)
    assert world.tried("node1")[:2] == [B, C], "where it was heard last is tried, too"


def test_a_peer_that_says_it_is_elsewhere_and_is_silent_is_called_there_within_the_session() -> None:
    """Both ends were renumbered at once: neither hears the other any more."""
    world = wish(World(), peer("node1", A))
    world.alive = {A}
    world.at(100.0)
    world.orders.clear()
    world.alive = {B}

    wish(world, peer("node1", B)).at(160.0)

    assert world.tried("node1") == [B]
    assert world.view("node1").state is State.UP


def test_a_peer_that_says_it_is_elsewhere_and_still_answers_is_left_where_it_is() -> None:
    world = wish(World(), peer("node1", A))
    world.alive = {A, B}
    world.at(100.0)
    world.orders.clear()

    wish(world, peer("node1", B)).at(260.0)

    assert world.tried("node1") == []


def test_news_of_a_peer_that_does_not_answer_is_tried_at_once() -> None:
    world = wish(World(), peer("node1", A))
    world.at(500.0)
    world.orders.clear()
    world.alive = {B}

    wish(world, peer("node1", B, A)).at(503.0)

    assert world.tried("node1") == [B]
    world.at(510.0)
    assert world.view("node1").state is State.UP


@pytest.mark.parametrize(
    "address",
    [str(PLAN.node("node1")), "fe80::1", "ff02::1", "::", "::1", "::ffff:192.0.2.1", "2001:db8::dead"],
)
def test_no_endpoint_that_could_not_be_the_peer_is_ever_set(address: str) -> None:
    world = World()
    world.feed(Underlay((IPv6Address("2001:db8::dead"),), 1420))

    wish(world, peer("node1", Endpoint(IPv6Address(address), 7948))).at(100.0)

    assert world.tried("node1") == []
    assert world.view("node1").reason == "no endpoint is known"
    wish(world, peer("node1", Endpoint(IPv6Address(address), 7948), A)).at(200.0)
    assert set(world.tried("node1")) == {A}


def test_a_peer_without_an_endpoint_calls_and_is_then_known() -> None:
    world = wish(World(), peer("node1"))
    world.at(100.0)
    world.handshake("node1", A)

    world.at(300.0)

    assert world.tried("node1") == []
    assert world.endpoint("node1") == A


def test_a_step_of_the_clock_makes_no_peer_old() -> None:
    world = wish(World(), peer("node1", A, B))
    world.at(5.0)
    world.handshake("node1")
    world.wall += 1e9
    world.at(150.0)

    assert world.view("node1").state is State.UP
    world.handshake("node1")
    world.wall -= 2e9
    world.at(300.0)
    assert world.view("node1").state is State.UP
    assert world.tried("node1") == [A]


def test_what_the_kernel_lost_is_set_again() -> None:
    world = wish(World(), peer("node1", A))
    world.at(31.0)
    world.peers.clear()
    world.routes.clear()

    world.at(120.0)

    assert set(world.peers) == {key("node1")}
    assert set(world.routes) == set(peer("node1").allowed)


def test_refusals_are_named_once_and_shown() -> None:
    world = World()
    twin = peer("twin", A, serial=2, public_key=key("node1"))

    wish(world, peer("node1", A), twin, peer("own", B)).at(100.0)
    wish(world, peer("node1", A), twin, peer("own", B)).at(200.0)

    assert dict(world.machine.view().refused) == {"twin": "key-taken", "own": "has-own-address"}
    assert sum(note.what == "peer refused" for note in world.notes) == 2
    assert set(world.peers) == {key("node1")}


def test_wishes_that_keep_coming_put_off_no_look() -> None:
    world = wish(World(), peer("node1", A))
    world.alive = {A}
    for second in range(100):
        world.at(float(second))
        world.feed(Peers((peer("node1", A), peer(f"node{second % 2 + 2}", B))))

    assert world.looks > 4


def test_ten_thousand_peers_are_planned_at_once_and_then_no_more() -> None:
    peers = tuple(peer(f"node{number}", place(number)) for number in range(1, 10_001))
    world = World()

    wish(world, *peers)

    assert (len(world.peers), len(world.routes)) == (10_000, 20_000)
    assert sum(isinstance(order, SetPeer) for order in world.orders) == 10_000
    world.start()
    wish(world, *peers)
    assert world.orders == []
    wish(world, *peers, peer("more", A))
    assert len(world.orders) == 3
    assert len(world.notes) < 20


NAMES = st.sampled_from(["node1", "node2", "node3", "own"])
PLACES = st.lists(st.builds(place, st.integers(1, 4)), max_size=3)
PEERS = st.builds(
    lambda name, places, serial, twin: peer(name, *places, serial=serial, public_key=twin and key(twin)),
    NAMES,
    PLACES,
    st.integers(1, 3),
    st.none() | NAMES,
)
STEPS = st.lists(
    st.tuples(st.lists(PEERS, max_size=4), st.frozensets(NAMES.map(key), max_size=1), st.floats(0.1, 400.0)),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sets(st.builds(place, st.integers(1, 4))))
def test_planning_on_the_result_orders_nothing_whatever_was_wished(
    steps: list[tuple[list[object], frozenset[bytes], float]], alive: set[Endpoint]
) -> None:
    world = World(Own(OWN.public_key, OWN.address, OWN.prefix))
    world.alive = alive
    for peers, revoked, seconds in steps:
        wish(world, *peers, revoked=revoked)
        before = len(world.orders)
        wish(world, *peers, revoked=revoked)
        world.feed(world.dump())
        new = world.orders[before:]
        assert not [order for order in new if not (isinstance(order, SetPeer) and order.endpoint)]
        claimed = [network for item in world.peers.values() for network in item.allowed]
        assert len(claimed) == len(set(claimed))
        assert not revoked.intersection(world.peers)
        world.at(world.now + seconds)
