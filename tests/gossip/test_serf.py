"""Among serf agents: tags, intents ordered by Lamport times, and what is passed on once."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import plain, serf
from hepto.gossip.application import Reaction
from hepto.gossip.messages import Address, Alive, Status
from hepto.gossip.model import Change, Claim
from hepto.gossip.plain import EndpointRecord, Meta
from hepto.gossip.reasons import GossipError
from hepto.gossip.serf import Kind, Serf

OLD, NEW = bytes(15) + b"\1", bytes(15) + b"\2"
ME = b"me"


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def intent(kind: Kind, time: int, node: bytes = b"other") -> bytes:
    return bytes((kind,)) + pack({b"LTime": time, b"Node": node})


def event(time: int, payload: bytes = b"") -> bytes:
    return b"\3" + pack({"LTime": time, "Name": "deploy", "Payload": payload, "CC": True})


def query(time: int, number: int = 1, flags: int = 0) -> bytes:
    return b"\4" + pack({"LTime": time, "ID": number, "Flags": flags, "Name": "uptime", "Filters": []})


def state(**fields: object) -> bytes:
    known = {"LTime": 1, "StatusLTimes": {}, "LeftMembers": [], "EventLTime": 1, "Events": [None] * 512}
    return b"\2" + pack({**known, "QueryLTime": 1, **fields})


def told(application: Serf, *members: tuple[bytes, Status]) -> dict[bytes, object]:
    """The record in a push/pull of ours."""
    data = application.shared(members)
    assert data[:1] == b"\2"
    record: dict[bytes, object] = msgpack.unpackb(data[1:], raw=True)
    return record


class TestTags:
    """The meta."""

    META = plain.encode_meta(Meta(b"grant", EndpointRecord((OLD,), 0, 0, 5)))

    def test_no_tags_are_two_bytes(self) -> None:
        assert serf.encode_tags({}) == b"\xff\x80"

    def test_ours_is_found_among_tags(self) -> None:
        tags = serf.encode_tags({b"role": b"db"}, self.META)

        assert Serf(ME).is_ours(tags)
        assert b"role" in tags

    @pytest.mark.parametrize(
        "meta", [b"", b"db", b"\xff\x80", b"\xff\x81", b"\xff\x90", META, b"\xff\x81\xa5hepto\xa1!"]
    )
    def test_anything_else_is_not_ours(self, meta: bytes) -> None:
        assert not Serf(ME).is_ours(meta)

    @given(st.binary(max_size=512))
    def test_any_bytes_are_ours_or_not(self, meta: bytes) -> None:
        assert not Serf(ME).is_ours(b"\xff" + meta) or b"hepto" in meta

    def test_the_longest_meta_of_ours_fits_into_a_tag(self) -> None:
        assert len(serf.encode_tags({}, bytes(368))) <= 512

    def test_a_member_moves_by_the_record_in_its_tag(self) -> None:
        moved = plain.encode_meta(Meta(b"grant", EndpointRecord((NEW,), 0, 0, 6, b"signed")))
        claim = Claim(b"one", Address(OLD, 7946), serf.encode_tags({}, self.META), 9, Status.DEAD, 0.0)
        alive = Alive(10, b"one", Address(NEW, 7946), serf.encode_tags({}, moved), serf.VERSIONS)

        assert Serf(ME, lambda name, meta: meta.endpoint.signature == b"signed").may_move(claim, alive)
        assert not Serf(ME).may_move(claim, alive)


class TestIntents:
    """Joining and leaving."""

    def test_a_newer_intent_is_passed_on_once(self) -> None:
        application = Serf(ME)
        leave = intent(Kind.LEAVE, 5)

        assert application.message(leave) == Reaction((leave,))
        assert application.message(leave) == Reaction()
        assert application.message(intent(Kind.JOIN, 5)) == Reaction()
        assert application.message(intent(Kind.JOIN, 6)) == Reaction((intent(Kind.JOIN, 6),))

    def test_our_own_is_newer_than_any_that_was_seen(self) -> None:
        application = Serf(ME)
        application.message(intent(Kind.JOIN, 41))

        (farewell,) = application.farewell()

        assert farewell[:1] == b"\0"
        assert msgpack.unpackb(farewell[1:], raw=True) == {b"LTime": 42, b"Node": ME, b"Prune": False}

    def test_who_says_that_we_leave_is_contradicted(self) -> None:
        application = Serf(ME)

        (answer,) = application.message(intent(Kind.LEAVE, 9, ME)).broadcast

        assert answer == intent(Kind.JOIN, 10, ME)

    def test_not_when_we_do(self) -> None:
        application = Serf(ME)
        (farewell,) = application.farewell()

        assert application.message(farewell) == Reaction()
        assert application.message(intent(Kind.LEAVE, 9, ME)) == Reaction((intent(Kind.LEAVE, 9, ME),))

    def test_names_without_end_take_no_memory_without_end(self) -> None:
        application = Serf(ME)
        for number in range(serf.MOST_INTENTS + 5):
            application.message(intent(Kind.JOIN, 7, b"%d" % number))

        assert len(application._status_times) == serf.MOST_INTENTS
        assert b"4" not in application._status_times


class TestPassingOn:
    """User events and queries."""

    def test_an_event_is_passed_on_once(self) -> None:
        application = Serf(ME)

        assert application.message(event(7)) == Reaction((event(7),))
        assert application.message(event(7)) == Reaction()
        assert application.message(event(7, b"other")) == Reaction((event(7, b"other"),))

    def test_an_old_one_never(self) -> None:
        application = Serf(ME)
        application.message(event(1000))

        assert application.message(event(1000 - serf.SLOTS)) == Reaction()
        assert application.message(event(1001 - serf.SLOTS)).broadcast

    def test_a_query_is_passed_on_once_unless_it_forbids_it(self) -> None:
        application = Serf(ME)

        assert application.message(query(7)) == Reaction((query(7),))
        assert application.message(query(7)) == Reaction()
        assert application.message(query(7, 2, flags=3)) == Reaction()

    def test_what_is_kept_is_bounded(self) -> None:
        application = Serf(ME)
        for time in range(1, 5 * serf.SLOTS):
            application.message(event(time))
        for number in range(2 * serf.MOST_IN_SLOT):
            application.message(event(5 * serf.SLOTS, b"%d" % number))

        assert len(application._events._slots) <= 2 * serf.SLOTS + 1
        assert max(map(len, application._events._slots.values())) == serf.MOST_IN_SLOT

    @pytest.mark.parametrize("kind", [5, 6, 7, 8, 9])
    def test_answers_to_others_are_nobody_s_news(self, kind: int) -> None:
        assert Serf(ME).message(bytes((kind,)) + pack({})) == Reaction()

    @pytest.mark.parametrize(
        "data",
        [
            *(b"", b"\x0a", b"\3", b"\3\x90", b"\2" + pack({})),
            *(b"\3" + pack({"LTime": time}) for time in (-1, 2**63, "1")),
            b"\1" + pack({"Node": 5}),
        ],
    )
    def test_nonsense_is_refused_and_changes_nothing(self, data: bytes) -> None:
        application = Serf(ME)
        before = application.shared(())

        with pytest.raises(GossipError):
            application.message(data)
        assert application.shared(()) == before

    def test_a_message_of_ours_is_handed_on_and_not_passed_on(self) -> None:
        assert Serf(ME).message(b"hepto news") == Reaction(received=(b"hepto news",))

    @given(st.binary(max_size=100))
    def test_any_bytes_are_a_reaction_or_refused(self, data: bytes) -> None:
        for take in (Serf(ME).message, Serf(ME).merge):
            try:
                assert isinstance(take(data), Reaction)
            except GossipError as error:
                assert error.reason


class TestPushPull:
    """serf's state, with ours in it."""

    def test_it_says_times_and_who_has_left(self) -> None:
        application = Serf(ME)
        application.message(intent(Kind.LEAVE, 5))
        application.message(event(20))
        application.message(query(30))

        assert told(application, (ME, Status.ALIVE), (b"other", Status.LEFT)) == {
            b"LTime": 6,
            b"StatusLTimes": {b"other": 5},
            b"LeftMembers": [b"other"],
            b"EventLTime": 21,
            b"Events": [],
            b"QueryLTime": 31,
        }

    def test_clocks_and_times_are_taken_over(self) -> None:
        application = Serf(ME)

        assert (
            application.merge(
                state(LTime=8, StatusLTimes={"other": 4}, EventLTime=9, QueryLTime=10, LeftMembers=["gone"])
            )
            == Reaction()
        )

        record = told(application, (b"other", Status.ALIVE), (b"gone", Status.LEFT))
        assert (record[b"LTime"], record[b"EventLTime"], record[b"QueryLTime"]) == (8, 9, 10)
        assert record[b"StatusLTimes"] == {b"other": 4}

    def test_who_has_missed_our_return_is_told(self) -> None:
        application = Serf(ME)

        (answer,) = application.merge(state(LTime=8, StatusLTimes={"me": 7}, LeftMembers=["me"])).broadcast

        assert answer == intent(Kind.JOIN, 8, ME)

    def test_ours_travels_in_it(self) -> None:
        one, two = Serf(b"one"), Serf(b"two")
        one.share(b"list 7")

        assert two.merge(one.shared(())) == Reaction(received=(b"list 7",))
        assert two.merge(one.shared(())) == Reaction()

    @pytest.mark.parametrize(
        "data", [b"", b"\1", b"\2", b"\2\x90", state(LTime="1"), state(StatusLTimes=[]), state(StatusLTimes={"a": -1})]
    )
    def test_nonsense_is_refused_and_changes_nothing(self, data: bytes) -> None:
        application = Serf(ME)
        before = application.shared(())

        with pytest.raises(GossipError):
            application.merge(data)
        assert application.shared(()) == before

    def test_who_is_forgotten_is_forgotten_here(self) -> None:
        application = Serf(ME)
        application.message(intent(Kind.LEAVE, 5))

        claim = Claim(b"other", Address(OLD, 1), b"", 1, Status.LEFT, 0.0)
        assert application.changed(Change.FORGOTTEN, claim) == Reaction()

        assert told(application, (b"other", Status.LEFT))[b"StatusLTimes"] == {}
