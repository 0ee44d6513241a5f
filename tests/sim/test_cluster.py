from hepto.gossip.messages import Address, Status
from hepto.gossip.model import (
    Change,
    Claim,
    Datagram,
    MemberChanged,
    Refused,
    Remember,
    Resolve,
    Resolved,
    Send,
    SetAddress,
    SetMeta,
    Started,
)
from hepto.sim.cluster import SOCKET_BUFFER, anchor
from hepto.sim.network import Quality
from tests.sim.stories import LATENCY, Story


def test_every_process_is_started_once_with_its_name_address_and_meta() -> None:
    story = Story(2)

    births = [process.birth for process in story.software.processes]

    assert [birth.name for birth in births] == [b"node-0", b"node-1"]
    assert len({birth.address for birth in births}) == 2
    assert births[1].meta == b"node-1@0"
    assert all(process.heard == [(0.0, Started())] for process in story.software.processes)


def test_a_datagram_arrives_later_with_its_source() -> None:
    story = Story()

    story.does(0, Send(story.node(1).address, b"hello"))
    story.run(1.0)

    assert story.core(1).events(Datagram) == [Datagram(b"hello", story.node(0).address)]
    when = story.core(1).heard[-1][0]
    assert LATENCY <= when < 2 * LATENCY
    assert (story.node(0).packets, story.node(0).packet_bytes) == (1, 5)
    assert story.core(2).events(Datagram) == []


def test_a_machine_without_the_process_says_so_and_one_that_is_off_does_not() -> None:
    story = Story()
    story.cluster.kill(1)
    story.cluster.unplug(2)

    story.does(0, Send(story.node(1).address, b"x"), Send(story.node(2).address, b"x"))
    story.run(1.0)

    assert story.core(0).events(Refused) == [Refused(story.node(1).address)]


def test_nobody_is_at_an_address_that_was_never_given_or_was_left() -> None:
    story = Story()
    before = story.node(1).address
    story.cluster.renumber(1)

    story.does(0, Send(before, b"x"), Send(Address(bytes(16), 1), b"x"))
    story.run(1.0)

    assert story.core(1).events(Datagram) == []
    assert story.core(0).events(Refused) == []


def test_who_moves_is_told_its_address_first_and_then_its_new_meta() -> None:
    story = Story()

    story.cluster.renumber(1)

    assert [event for _, event in story.core(1).heard[1:]] == [SetAddress(story.node(1).address), SetMeta(b"node-1@1")]
    story.does(0, Send(story.node(1).address, b"x"))
    story.run(1.0)
    assert len(story.core(1).events(Datagram)) == 1


def test_a_paused_process_hears_in_order_what_has_come_and_then_the_time() -> None:
    story = Story()
    story.core(1).wants = [0.5]
    story.does(1)
    story.cluster.pause(1)

    story.does(0, Send(story.node(1).address, b"a"))
    story.run(1.0)
    assert len(story.core(1).heard) == 2
    assert story.core(1).ticks == []
    story.does(0, Send(story.node(1).address, b"b"))
    story.run(2.0)
    story.cluster.resume(1)

    assert [event.data for event in story.core(1).events(Datagram) if isinstance(event, Datagram)] == [b"a", b"b"]
    story.run(2.0)
    assert story.core(1).ticks == [2.0]


def test_the_buffer_of_a_paused_process_is_bounded() -> None:
    story = Story()
    story.cluster.pause(1)

    story.does(0, *[Send(story.node(1).address, b"x")] * (SOCKET_BUFFER + 9))
    story.run(1.0)

    assert len(story.node(1).inbox) == SOCKET_BUFFER


def test_the_time_is_told_at_the_deadline_even_if_that_has_moved() -> None:
    story = Story()
    story.core(0).wants = [5.0]
    story.does(0)
    story.core(0).wants = [2.0, 7.0]
    story.does(0)

    story.run(10.0)

    assert story.core(0).ticks == [2.0, 7.0]


def test_a_new_process_remembers_what_the_last_one_has_stored() -> None:
    story = Story()
    somewhere = Address(bytes(16), 7)
    story.does(0, Remember(9, (somewhere,)))

    story.core(0).wants = [1.0]
    story.does(0)
    old = story.core(0)
    story.cluster.start(0)
    story.run(2.0)

    birth = story.core(0).birth
    assert (birth.life, birth.incarnation, birth.remembered) == (1, 9, (somewhere,))
    assert old.ticks == []


def test_an_anchor_is_found_where_it_is_now() -> None:
    story = Story()
    story.cluster.renumber(2)

    story.does(0, Resolve(anchor(2)), Resolve("nobody"))
    story.run(1.0)

    found = story.core(0).events(Resolved)
    assert found == [Resolved(anchor(2), (story.node(2).address,)), Resolved("nobody", ())]


def test_the_watcher_hears_of_beliefs_and_of_ends_and_beginnings() -> None:
    story = Story()
    claim = Claim(b"node-1", story.node(1).address, b"", 1, Status.DEAD, 0.0)
    story.notes.touches.clear()

    story.does(0, MemberChanged(Change.FAILED, claim))
    story.cluster.kill(1)
    story.cluster.start(1)

    assert story.notes.changes == [(0, MemberChanged(Change.FAILED, claim))]
    assert story.notes.touches == [(1, False), (1, False), (1, True)]


def test_a_doubled_datagram_arrives_twice_and_a_damaged_one_changed() -> None:
    story = Story(quality=Quality(LATENCY, LATENCY, duplicate=1.0, corrupt=1.0))

    story.does(0, Send(story.node(1).address, bytes(9)))
    story.run(1.0)

    arrived = story.core(1).events(Datagram)
    assert len(arrived) == 2
    assert all(isinstance(event, Datagram) and event.data != bytes(9) for event in arrived)
