"""Metas of ours are recognised, nothing else is, and only a proof lets a member move."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import plain
from hepto.gossip.application import Reaction
from hepto.gossip.messages import Address, Alive, Status
from hepto.gossip.model import Claim
from hepto.gossip.plain import EndpointRecord, Meta, Plain
from hepto.gossip.reasons import GossipError

OLD, NEW = bytes(15) + b"\1", bytes(15) + b"\2"
RECORD = EndpointRecord((OLD,), 7947, 7948, 5)
META = Meta(b"grant", RECORD)
METAS = st.builds(
    Meta,
    st.none() | st.binary(max_size=200),
    st.builds(
        EndpointRecord,
        st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=plain.MOST_ADDRESSES).map(tuple),
        st.integers(0, 65535),
        st.integers(0, 65535),
        st.integers(0, 2**64 - 1),
        st.binary(max_size=64),
    ),
)


@given(METAS)
def test_what_is_encoded_is_decoded(meta: Meta) -> None:
    assert plain.decode_meta(plain.encode_meta(meta)) == meta


@given(st.binary(max_size=512))
def test_any_bytes_are_a_meta_or_not_ours(data: bytes) -> None:
    assert plain.decode_meta(data) is None or Plain().is_ours(data)


@pytest.mark.parametrize(
    "value",
    [
        [2, None, [[OLD], 1, 2, 3, b""]],
        [1, 7, [[OLD], 1, 2, 3, b""]],
        [1, None, [[], 1, 2, 3, b""]],
        [1, None, [[OLD[1:]], 1, 2, 3, b""]],
        [1, None, [[OLD] * 9, 1, 2, 3, b""]],
        [1, None, [[OLD], 65536, 2, 3, b""]],
        [1, None, [[OLD], -1, 2, 3, b""]],
        [1, None, [[OLD], True, 2, 3, b""]],
        [1, None, [[OLD], 1, 2, 3]],
        {"role": "db"},
    ],
)
def test_what_is_not_quite_ours_is_not_ours(value: object) -> None:
    assert not Plain().is_ours(msgpack.packb(value, use_bin_type=True))


def test_serf_s_tags_and_nothing_are_not_ours() -> None:
    assert not Plain().is_ours(b"\xff\x80")
    assert not Plain().is_ours(b"")


def test_the_longest_grant_fits_with_a_record() -> None:
    meta = Meta(bytes(250), EndpointRecord((OLD,), 7947, 7948, 2**64 - 1, bytes(64)))

    assert len(plain.encode_meta(meta)) <= 368


class TestMoving:
    """`may_move`."""

    CLAIM = Claim(b"one", Address(OLD, 7946), plain.encode_meta(META), 9, Status.DEAD, 0.0)
    MOVED = Meta(b"grant", EndpointRecord((NEW,), 7947, 7948, 6, b"signed"))

    def may_move(self, claimed: Meta, *, address: bytes = NEW, says: bool = True) -> bool:
        asked: list[tuple[bytes, Meta]] = []

        def verify(name: bytes, meta: Meta) -> bool:
            asked.append((name, meta))
            return says

        alive = Alive(10, b"one", Address(address, 7946), plain.encode_meta(claimed), plain.VERSIONS)
        result = Plain(verify).may_move(self.CLAIM, alive)
        assert asked in ([], [(b"one", claimed)])
        return result

    def test_a_newer_signed_record_proves_it(self) -> None:
        assert self.may_move(self.MOVED)

    def test_an_unsigned_one_does_not(self) -> None:
        assert not self.may_move(self.MOVED, says=False)

    def test_a_replayed_one_does_not(self) -> None:
        assert not self.may_move(self.MOVED._replace(endpoint=self.MOVED.endpoint._replace(counter=5)))

    def test_one_for_another_address_does_not(self) -> None:
        assert not self.may_move(self.MOVED, address=bytes(15) + b"\3")

    def test_nobody_moves_who_was_not_ours(self) -> None:
        alive = Alive(10, b"one", Address(NEW, 7946), plain.encode_meta(self.MOVED), plain.VERSIONS)

        assert not Plain(lambda name, meta: True).may_move(replace(self.CLAIM, meta=b""), alive)

    def test_without_a_verifier_nobody_moves(self) -> None:
        alive = Alive(10, b"one", Address(NEW, 7946), plain.encode_meta(self.MOVED), plain.VERSIONS)

        assert not Plain().may_move(self.CLAIM, alive)


class TestSharing:
    """What every push/pull carries."""

    def test_it_is_what_was_given(self) -> None:
        application = Plain()
        assert application.shared(()) == b""

        application.share(b"list 7")

        assert application.shared(((b"one", Status.ALIVE),)) == b"list 7"

    def test_others_is_handed_on_once(self) -> None:
        application = Plain()
        application.share(b"list 7")

        assert application.merge(b"list 8") == Reaction(received=(b"list 8",))
        assert application.merge(b"list 8") == Reaction()
        assert application.merge(b"list 7") == Reaction()
        assert application.merge(b"") == Reaction()

    def test_a_message_is_handed_on_and_not_passed_on(self) -> None:
        assert Plain().message(b"data") == Reaction(received=(b"data",))

    def test_a_message_of_other_software_is_refused(self) -> None:
        with pytest.raises(GossipError):
            Plain().message(b"\3event")

    def test_nothing_is_said_at_the_end(self) -> None:
        assert Plain().farewell() == ()
