"""Messages byte for byte, and which of them are believed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import codec, dialect, limits
from hepto.gossip.messages import (
    Ack,
    Address,
    Alive,
    Dead,
    ErrorMessage,
    IndirectPing,
    Nack,
    NodeState,
    PacketMessage,
    Ping,
    Suspect,
    User,
)
from hepto.gossip.reasons import GossipError
from tests.gossip import vectors

HERE = Address(bytes.fromhex("fd000009000000000000000000000001"), 7946)
VERSIONS = bytes((1, 5, 2, 0, 0, 0))
ALIVE = Alive(1, b"n1", HERE, b"meta", VERSIONS)
STATE = NodeState(b"n1", HERE, b"meta", 1, 0, VERSIONS)

U32 = st.integers(0, 2**32 - 1)
NAMES = st.binary(min_size=1, max_size=limits.NAME)
MAYBE = st.binary(max_size=limits.NAME)
ADDRESSES = st.builds(
    Address, st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), st.integers(1, 65535)
)
METAS = st.binary(max_size=limits.META)
MESSAGES = st.one_of(
    st.builds(Ping, U32, MAYBE, st.none() | ADDRESSES, MAYBE),
    st.builds(IndirectPing, U32, ADDRESSES, NAMES, st.booleans(), st.none() | ADDRESSES, MAYBE),
    st.builds(Ack, U32, st.binary(max_size=300)),
    st.builds(Nack, U32),
    st.builds(Suspect, U32, NAMES, MAYBE),
    st.builds(Dead, U32, NAMES, MAYBE),
    st.builds(Alive, U32, NAMES, ADDRESSES, METAS, st.just(VERSIONS)),
    st.builds(User, st.binary(max_size=300)),
)
STATES = st.builds(NodeState, NAMES, ADDRESSES, METAS, U32, st.integers(0, 9), st.just(VERSIONS))

TYPES = {"ack": codec.ACK, "alive": codec.ALIVE, "ping": codec.PING}
# Records with nil for a byte string that we write empty, and the other way round; both mean nothing.
OTHER_NOTHING = {"codec-ack-empty", "codec-alive-nil-meta-nil-vsn"}


def reason(data: bytes) -> str:
    with pytest.raises(GossipError) as caught:
        codec.decode(data)
    return caught.value.reason


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors.load("codec") if vector["record"] in TYPES],
    ids=lambda vector: vector["id"],
)
def test_a_record_is_read_and_written_as_by_the_go_library(vector: vectors.Vector) -> None:
    data = bytes((TYPES[vector["record"]],)) + bytes.fromhex(vector["hex"])
    message = vectors.message({"type": vector["record"], "fields": vector["expect"]})

    assert codec.decode(data) == message
    assert isinstance(message, Ack | Alive | Ping)
    assert (codec.encode(message) == data) == (vector["id"] not in OTHER_NOTHING)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Ping(7, b"n2"), "0082a44e6f6465a26e32a55365714e6f07"),
        (
            IndirectPing(7, Address(bytes(4), 1), b"n2", True),
            "0185a44e61636bc3a44e6f6465a26e32a4506f727401a55365714e6f07a6546172676574a400000000",
        ),
        (Ack(300), "0282a75061796c6f6164c0a55365714e6fcd012c"),
        (Nack(200), "0b81a55365714e6fccc8"),
        (Suspect(1, b"n2", b"n1"), "0383a446726f6da26e31ab496e6361726e6174696f6e01a44e6f6465a26e32"),
        (Dead(1, b"n2", b"n1"), "0583a446726f6da26e31ab496e6361726e6174696f6e01a44e6f6465a26e32"),
        (User(b"abc"), "08616263"),
        (ErrorMessage(b"no"), "0d81a54572726f72a26e6f"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_each_message_has_its_bytes(message: PacketMessage, expected: str) -> None:
    assert codec.encode(message).hex() == expected


@given(MESSAGES, st.binary(max_size=5))
def test_what_was_written_is_read_and_believed(message: PacketMessage, junk: bytes) -> None:
    data = codec.encode(message)

    decoded = codec.decode(data if isinstance(message, User) else data + junk)

    assert decoded == message
    codec.check(decoded)


@given(STATES)
def test_a_member_that_was_written_is_read_and_believed(state: NodeState) -> None:
    data = codec.encode_state(state)

    assert codec.decode_state(b"junk" + data + b"junk", 4) == (state, 4 + len(data))
    codec.check_state(state)


@given(MESSAGES)
def test_keys_are_in_ascii_order(message: PacketMessage) -> None:
    """memberlist's own order; what differs from it would still be read."""
    data = codec.encode(message)
    if data[0] in codec.RECORDS:
        fields, _ = dialect.record(data, codec.RECORDS[data[0]].kinds, 1)
        assert list(fields) == sorted(fields)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_are_refused_by_name(data: bytes) -> None:
    try:
        codec.check(codec.decode(data))
    except GossipError as error:
        assert error.reason


@pytest.mark.parametrize(
    "kind", [codec.PUSH_PULL, codec.COMPOUND, codec.COMPRESS, codec.ENCRYPT, codec.CHECKSUM, codec.ERROR, 14, 244, 255]
)
def test_other_types_are_no_messages(kind: int) -> None:
    assert reason(bytes((kind,)) + b"\x80") == "unknown-type"


def test_nothing_is_no_message() -> None:
    assert reason(b"") == "missing-type"


def test_missing_fields_are_zero() -> None:
    assert codec.decode(b"\x00\x80") == Ping(0)
    assert codec.decode(b"\x04\xc0") == Alive(0, b"", Address(b"", 0), b"", b"")


@pytest.mark.parametrize(
    "fields",
    [b"\x81\xaaSourcePort\x07", b"\x81\xaaSourceAddr\xa4abcd", b"\x82\xaaSourceAddr\xa4abcd\xaaSourcePort\x00"],
    ids=["no address", "no port", "port zero"],
)
def test_half_a_source_counts_as_none(fields: bytes) -> None:
    assert codec.decode(b"\x00" + fields) == Ping(0)


def test_a_name_that_is_no_text_stays_as_it_is() -> None:
    name = bytes(range(128, 160))

    assert codec.decode(codec.encode(Suspect(1, name, name))) == Suspect(1, name, name)


LONG = bytes(limits.NAME + 1)
SHORT_ADDRESS = Address(bytes(5), 7946)
NO_PORT = Address(bytes(16), 0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (replace(ALIVE, node=b""), "bad-name"),
        (replace(ALIVE, node=LONG), "bad-name"),
        (replace(ALIVE, address=SHORT_ADDRESS), "bad-address"),
        (replace(ALIVE, address=Address(b"", 7946)), "bad-address"),
        (replace(ALIVE, address=NO_PORT), "bad-port"),
        (replace(ALIVE, meta=bytes(limits.META + 1)), "meta-too-large"),
        (Suspect(1, b"", b"n1"), "bad-name"),
        (Suspect(1, LONG, b"n1"), "bad-name"),
        (Suspect(1, b"n1", LONG), "bad-name"),
        (Dead(1, b"", b""), "bad-name"),
        (Ping(1, LONG), "bad-name"),
        (Ping(1, b"", None, LONG), "bad-name"),
        (Ping(1, b"", SHORT_ADDRESS), "bad-address"),
        (IndirectPing(1, SHORT_ADDRESS, b"n1"), "bad-address"),
        (IndirectPing(1, NO_PORT, b"n1"), "bad-port"),
        (IndirectPing(1, HERE, LONG), "bad-name"),
        (IndirectPing(1, HERE, b"n1", False, SHORT_ADDRESS), "bad-address"),
        (IndirectPing(1, HERE, b"n1", False, HERE, LONG), "bad-name"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_what_nobody_should_believe_is_refused(message: PacketMessage, expected: str) -> None:
    with pytest.raises(GossipError) as caught:
        codec.check(message)

    assert caught.value.reason == expected


@pytest.mark.parametrize("versions", ["010502000000", "010202020505", "020303000000", "01ff02ffffff", "010505020505"])
def test_versions_that_fit_are_accepted(versions: str) -> None:
    codec.check(replace(ALIVE, versions=bytes.fromhex(versions)))
    codec.check_state(replace(STATE, versions=bytes.fromhex(versions)))


@pytest.mark.parametrize(
    "versions",
    [
        "",
        "0105",
        "010502",
        "01050202050500",
        "000502020505",
        "050102020505",
        "090909090909",
        "010509020505",
        "030503000000",
    ],
)
def test_versions_that_would_break_the_push_pulls_of_others_are_refused(versions: str) -> None:
    with pytest.raises(GossipError, match="bad-versions"):
        codec.check(replace(ALIVE, versions=bytes.fromhex(versions)))
    with pytest.raises(GossipError, match="bad-versions"):
        codec.check_state(replace(STATE, versions=bytes.fromhex(versions)))
