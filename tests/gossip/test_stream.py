"""Streams: whole, byte by byte and with junk behind, against what Go has sent and refused."""

import re
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import codec, dialect, limits, stream
from hepto.gossip.keyring import NONCE, OVERHEAD, Keyring
from hepto.gossip.messages import Ack, Address, ErrorMessage, NodeState, Ping, PushPull, StreamMessage, User
from hepto.gossip.packet import PacketEnvelope
from hepto.gossip.reasons import GossipError, Reason
from hepto.gossip.stream import StreamReader
from tests.gossip import vectors
from tests.gossip.test_codec import MAYBE, STATES, U32
from tests.gossip.test_packet import SETTINGS, compressed, envelope

RECORDED = [vector for name in ("tcp", "tcp-answers") for vector in vectors.load(name)]
MALFORMED = vectors.load("malformed", "tcp")
# Members whom nobody should believe are left out, the rest of the push/pull is believed.
WITHOUT_MEMBER = {"bad-tcp-pp-vsn-bad-pcur", "bad-tcp-pp-vsn-min9", "bad-tcp-pp-vsn-none"}

# Written by a script that did not put the keys in order.
SCRIPTED = {
    *("tcp-scripted-2-initiator", "tcp-scripted-4-acceptor", "tcp-scripted-5-initiator"),
    *("tcp-answer-4-initiator", "tcp-answer-5-initiator"),
}
OLD_LENGTH = re.compile(rb"UserStateLen\xd1..", re.DOTALL)
UNWRAPPED = PacketEnvelope(b"", None, random_bytes=bytes, compress=False)

MESSAGES = st.one_of(
    st.builds(Ping, U32, MAYBE),
    st.builds(Ack, U32, st.binary(max_size=300)),
    st.builds(User, st.binary(max_size=70000)),
    st.builds(ErrorMessage, st.binary(max_size=300)),
    st.builds(PushPull, st.lists(STATES, max_size=5).map(tuple), st.binary(max_size=500), st.booleans()),
)
PLAIN = envelope(key=None)
SECRET = envelope(b"blue")
VERSIONS = bytes((1, 5, 2, 0, 0, 0))
FULL = PushPull(
    tuple(
        NodeState(b"%0128d" % number, Address(bytes(16), 7946), bytes(512), number, 0, VERSIONS)
        for number in range(500)
    ),
    b"state",
    join=True,
)


def read(
    settings: PacketEnvelope, chunks: Iterable[bytes], *, initiator: bool = False, limit: int = limits.STREAM_OWN
) -> StreamMessage | str:
    """The message, or the reason why there is none."""
    reader = StreamReader(settings, limit, initiator=initiator)
    try:
        for chunk in chunks:
            message = reader.feed(chunk)
            if message is not None:
                assert reader.feed(b"more") is None
                reader.eof()
                return message
        reader.eof()
    except GossipError as error:
        assert reader.feed(b"more") is None
        reader.eof()
        return error.reason
    raise AssertionError("neither a message nor an error")


def each(data: bytes) -> Iterable[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


def three_ways(settings: PacketEnvelope, data: bytes, *, initiator: bool) -> list[StreamMessage | str]:
    """Whole, byte by byte, and with junk behind."""
    return [read(settings, chunks, initiator=initiator) for chunks in ([data], each(data), [data + b"\xc1junk" * 99])]


@pytest.mark.parametrize("vector", RECORDED, ids=lambda vector: vector["id"])
def test_a_recorded_stream_is_read(vector: vectors.Vector) -> None:
    expected = vector["expect"].get("error") or vectors.message(vector["expect"]["messages"][0])

    got = three_ways(vectors.envelope(vector), bytes.fromhex(vector["hex"]), initiator=vector["side"] == "acceptor")

    assert got == [expected] * 3


@pytest.mark.parametrize(
    "vector",
    [vector for vector in RECORDED if "messages" in vector["expect"] and vector["id"] not in SCRIPTED],
    ids=lambda vector: vector["id"],
)
def test_a_recorded_stream_is_written_again_byte_for_byte(vector: vectors.Vector) -> None:
    """With its own nonce, and compressed as Go does: always. Old forms of an integer are put in.

    Version 0 is only read: of it the content.
    """
    data, initiator = bytes.fromhex(vector["hex"]), vector["side"] == "initiator"
    receiver = vectors.envelope(vector)
    nonce = data[(len(receiver.label_header) if initiator else 0) + 6 :][:NONCE]

    message = vectors.message(vector["expect"]["messages"][0])
    assert isinstance(message, StreamMessage)

    written = stream.encode(message, UNWRAPPED, initiator=False)
    if "0.2.2" in vector["producer"]:
        written = OLD_LENGTH.sub(lambda match: match[0][:-3] + b"\xcd" + match[0][-2:], written)
    if "compress-lzw" in vector["expect"]["layers"]:
        written = compressed(written)
    if receiver.keyring is not None and "encrypt-v0" in vector["expect"]["layers"]:
        data = receiver.keyring.decrypt(data[5:], data[:5])
    elif receiver.keyring is not None:
        header = b"\x0a" + (len(written) + OVERHEAD).to_bytes(4, "big")
        written = header + receiver.keyring.encrypt(nonce, written, header + receiver.label)

    assert (receiver.label_header if initiator else b"") + written == data


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors.load("codec") if vector["record"] == "push-pull-header"],
    ids=lambda vector: vector["id"],
)
def test_the_header_of_a_push_pull_is_read_in_both_forms_and_written_in_the_new_one(vector: vectors.Vector) -> None:
    data, expected = bytes.fromhex(vector["hex"]), vector["expect"]
    fields, end = dialect.record(data, stream._HEADER_KINDS)
    states = FULL.states[:1] * expected["Nodes"]

    written = stream.encode(
        PushPull(states, bytes(expected["UserStateLen"]), expected["Join"]), UNWRAPPED, initiator=True
    )

    assert ({key.decode(): value for key, value in fields.items()}, end) == (expected, len(data))
    assert (written[1 : 1 + len(data)] == data) == (not vector["id"].endswith("v055"))


@pytest.mark.parametrize("vector", MALFORMED, ids=lambda vector: vector["id"])
def test_a_malformed_stream_is_treated_as_advised(vector: vectors.Vector) -> None:
    """An error is never answered: whom we cannot read is left alone (trust.md section 7)."""
    settings, data, expected = vectors.envelope(vector), bytes.fromhex(vector["hex"]), vector["expect"]

    whole, bytewise = read(settings, [data]), read(settings, each(data))

    assert whole == bytewise
    if "error" in expected:
        assert whole == expected["error"]
        assert vector["advice"] in ("close", "error answer")
    elif vector["id"] in WITHOUT_MEMBER:
        assert isinstance(whole, PushPull)
        assert whole.states == ()
        assert whole.refused == (Reason.BAD_VERSIONS,)
    else:
        assert whole == vectors.message(expected["messages"][0])


@given(SETTINGS, MESSAGES, st.booleans(), st.data())
def test_what_was_written_is_read_however_it_is_cut(
    settings: PacketEnvelope, message: StreamMessage, initiator: bool, data: st.DataObject
) -> None:
    written = stream.encode(message, settings, initiator=initiator)
    cut = data.draw(st.integers(0, len(written)))

    assert read(settings, [written[:cut], written[cut:] + b"junk"], initiator=not initiator) == message


@given(SETTINGS, MESSAGES, st.data())
def test_a_message_comes_with_its_last_byte_and_not_before(
    settings: PacketEnvelope, message: StreamMessage, data: st.DataObject
) -> None:
    written = stream.encode(message, settings, initiator=True)
    size = data.draw(st.integers(0, len(written) - 1))
    reader = StreamReader(settings, limits.STREAM_OWN, initiator=False)

    assert reader.feed(written[:size]) is None
    with pytest.raises(GossipError):
        reader.eof()


@given(SETTINGS, st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused_by_name_at_once_as_byte_by_byte(
    settings: PacketEnvelope, data: bytes, initiator: bool
) -> None:
    assert read(settings, [data], initiator=initiator) == read(settings, each(data), initiator=initiator)


def test_five_hundred_members_with_full_metas_fit_a_granted_stream() -> None:
    data = stream.encode(FULL, SECRET, initiator=True)

    assert len(data) < limits.STREAM_GRANTED / 10
    assert read(SECRET, [data], limit=limits.STREAM_GRANTED) == FULL


def test_a_stranger_may_send_64_kib() -> None:
    most = User(bytes(number * 167 % 256 for number in range(limits.STREAM_UNKNOWN - 64)))

    def whole(message: StreamMessage) -> StreamMessage | str:
        return read(SECRET, [stream.encode(message, SECRET, initiator=True)], limit=limits.STREAM_UNKNOWN)

    assert whole(most) == most
    assert whole(User(most.data + most.data)) == "stream-too-large"
    assert whole(FULL) == "stream-too-large"


@pytest.mark.parametrize(
    ("settings", "data"),
    [
        (envelope(), b"\x0a\x00\x01\x00\x01"),
        (envelope(), b"\x0a\xff\xff\xff\xff"),
        (PLAIN, b"\x08\x81\xaaUserMsgLen\xce\x00\x02\x00\x00"),
        (PLAIN, b"\x06\x82\xa5Nodes\x00\xacUserStateLen\xce\x00\x02\x00\x00"),
        (PLAIN, b"\x09\x82\xa4Algo\x00\xa3Buf\xdb\x00\x01\x00\x00"),
        (PLAIN, b"\x02\x81\xa7Payload\xdb\xff\xff\xff\xff"),
        (PLAIN, b"\x06\x81\xa5Nodes\x01\x81\xa4Meta\xdb\x00\x02\x00\x00"),
    ],
    ids=["block", "largest block", "user message", "user state", "compressed", "payload", "meta"],
)
def test_what_is_announced_above_the_limit_is_refused_before_it_comes(settings: PacketEnvelope, data: bytes) -> None:
    assert read(settings, [data], limit=limits.STREAM_UNKNOWN) == "stream-too-large"
    assert read(settings, each(data), limit=limits.STREAM_UNKNOWN) == "stream-too-large"


def test_what_is_not_announced_ends_at_the_limit_too() -> None:
    state = codec.encode_state(FULL.states[0])
    data = b"\x06\x81\xa5Nodes\xcd\x03\xe8" + state * 200

    assert read(PLAIN, [data], limit=limits.STREAM_UNKNOWN) == "stream-too-large"
    assert (
        read(PLAIN, (data[place : place + 700] for place in range(0, len(data), 700)), limit=65536)
        == "stream-too-large"
    )


def test_nothing_is_expanded_beyond_the_limit() -> None:
    bomb = compressed(b"\x08\x81\xaaUserMsgLen\xce\x00\x10\x00\x00" + bytes(1 << 20))

    assert read(PLAIN, [bomb], limit=limits.STREAM_UNKNOWN) == "decompressed-too-large"
    assert read(PLAIN, [bomb]) == User(bytes(1 << 20))


def test_no_malformed_stream_costs_noticeable_time() -> None:
    begin = time.process_time()

    for vector in MALFORMED:
        read(vectors.envelope(vector), [bytes.fromhex(vector["hex"])], limit=limits.STREAM_GRANTED)

    assert time.process_time() - begin < 0.5


def test_a_long_message_in_small_segments_costs_no_more_than_its_length() -> None:
    data = stream.encode(FULL, envelope(key=None, compress=False), initiator=True)
    begin = time.process_time()

    assert read(PLAIN, (data[place : place + 100] for place in range(0, len(data), 100))) == FULL

    assert time.process_time() - begin < 0.5


def test_members_whom_nobody_should_believe_are_left_out() -> None:
    bad = NodeState(b"", Address(b"", 0), b"", 1, 0, b"")
    states = (*FULL.states[:2], bad, FULL.states[2], bad)

    got = read(SECRET, [stream.encode(PushPull(states, b"x"), SECRET, initiator=True)])

    assert got == PushPull(FULL.states[:3], b"x", False, (Reason.BAD_NAME, Reason.BAD_NAME))


def test_too_many_of_them_spoil_the_whole() -> None:
    count = limits.REFUSED_STATES + 1
    data = b"\x06\x81\xa5Nodes" + dialect.signed(count) + b"\x80" * count

    assert read(PLAIN, [data]) == "bad-name"


def test_the_acceptors_answer_has_no_label_header_but_is_bound_to_the_label() -> None:
    answer = stream.encode(Ack(7), SECRET, initiator=False)

    assert answer[0] == codec.ENCRYPT
    assert read(SECRET, [answer], initiator=True) == Ack(7)
    assert read(envelope(b"red"), [answer], initiator=True) == "crypto-no-key"
    assert read(SECRET, [answer], initiator=False) == "label-mismatch"
    assert read(SECRET, [stream.encode(Ack(7), SECRET, initiator=True)], initiator=True) == "stream-not-encrypted"


def test_a_cluster_without_encryption_moves_to_it() -> None:
    moving = envelope(verify_incoming=False, verify_outgoing=False)

    for sender in (PLAIN, moving, envelope()):
        assert read(moving, [stream.encode(Ping(7), sender, initiator=True)]) == Ping(7)
    assert read(PLAIN, [stream.encode(Ping(7), envelope(), initiator=True)]) == "stream-encrypted-no-keyring"
    assert read(envelope(), [stream.encode(Ping(7), moving, initiator=True)]) == "stream-not-encrypted"


def test_a_second_key_opens_a_stream() -> None:
    other = PacketEnvelope(b"blue", Keyring((bytes(16), bytes(range(32)))), random_bytes=bytes)

    assert read(other, [stream.encode(Ping(7), SECRET, initiator=True)]) == Ping(7)


def test_a_name_too_long_in_a_ping_is_refused() -> None:
    assert read(PLAIN, [codec.encode(Ping(7, bytes(200)))]) == "bad-name"


@pytest.mark.parametrize(
    "data", [b"\x06\x83\xa4Join\xd3\xa5N", b"\x06\x83\xa4J\x98`\xdf\xff\xc6\x3d\x6foin"], ids=["integer", "length"]
)
def test_an_end_that_is_cut_inside_a_number_reads_the_same_at_once_as_byte_by_byte(data: bytes) -> None:
    """Found by fuzzing: a number was guessed from its first bytes."""
    assert read(PLAIN, [data]) == read(PLAIN, each(data))
