"""Keepalives are needed unless a packet has come in that nothing of ours has invited."""

from dataclasses import replace
from ipaddress import IPv6Address

from hepto.mesh.inbound import SILENCE
from hepto.mesh.model import Peers, State, Underlay
from tests.mesh.world import World, key, peer, place

ONE, OTHER = peer("node1", place(1)), peer("node2", place(2))


def silent_node() -> World:
    """It has waited alone for a while; then a peer is known."""
    world = World()
    world.feed(Underlay((IPv6Address("2001:db8::a"),), 1420), Peers(()))
    world.at(SILENCE + 60)
    world.feed(Peers((ONE,)))
    return world


def keepalives(world: World) -> set[int]:
    return {found.keepalive for found in world.peers.values()}


def test_a_node_that_has_just_come_calls_at_once() -> None:
    world = World()
    world.feed(Peers((ONE,)))
    world.at(0.0)

    assert (world.endpoint("node1"), keepalives(world)) == (place(1), {25})


def test_who_gets_through_to_a_silent_node_makes_keepalives_needless_for_all() -> None:
    world = silent_node()
    assert (world.endpoint("node1"), keepalives(world)) == (None, {0})
    world.at(world.now + 1)
    world.peers[key("node1")] = replace(world.peers[key("node1")], sent=92)
    world.handshake("node1", place(1))

    world.feed(Peers((ONE, OTHER)))
    world.at(world.now + 60)

    assert keepalives(world) == {0}
    assert world.view("node1").state is State.UP
    assert world.endpoint("node2") == place(2), "it is called all the same"

    world.start()
    world.feed(Underlay((IPv6Address("2001:db8::a"),), 1420), Peers((ONE, OTHER)))
    world.at(world.now + 60)
    assert not [order for order in world.orders if getattr(order, "keepalive", None) is not None]

    world.feed(Underlay((IPv6Address("2001:db8::b"),), 1420))
    assert keepalives(world) == {25}, "another address, another router perhaps"


def test_who_does_not_get_through_is_called_after_a_moment() -> None:
    world = silent_node()

    world.at(world.now + 14)
    assert world.tried("node1") == []
    world.at(world.now + 4)

    assert world.tried("node1") == [place(1)]
    assert keepalives(world) == {25}
    assert world.view("node1").state is not State.UP


def test_an_answer_to_a_node_that_has_spoken_proves_nothing() -> None:
    world = World()
    world.feed(Peers((ONE,)))
    world.at(SILENCE + 60)
    world.feed(Peers((ONE, peer("node2"))))
    world.at(world.now + 1)
    world.handshake("node2", place(2))

    world.at(world.now + 60)

    assert keepalives(world) == {25}
