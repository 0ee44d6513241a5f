import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.api.messages import (
    MOST_REQUEST,
    AnyMessage,
    Hello,
    Refusal,
    Signed,
    Welcome,
    encode,
    encode_result,
    read,
    read_result,
)
from hepto.errors import PeerError

HELLO = Hello(b"n" * 32, b"p" * 32)
WELCOME = Welcome("node1", b"certificate", b"n" * 32, b"p" * 32)
SIGNED = Signed(b"n" * 32, b"order", b"signature")
REFUSAL = Refusal("wrong", "do it right")
KINDS: tuple[type[AnyMessage], ...] = (Hello, Welcome, Signed, Refusal)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("message", [HELLO, WELCOME, SIGNED, REFUSAL], ids=lambda message: type(message).__name__)
def test_what_is_written_is_read(message: AnyMessage) -> None:
    data = encode(message)
    later = msgpack.packb({**msgpack.unpackb(data), "later": [1, 2]})

    assert read(type(message), data) == message
    assert read(type(message), later) == message


def test_the_bytes_are_these() -> None:
    assert encode(REFUSAL) == b"\x82\xa4what\xa5wrong\xa4hint\xabdo it right"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Hello, {"nonce": b"n" * 31}),
        (Hello, {"nonce": b""}),
        (Hello, {"nonce": "n" * 32}),
        (Hello, {"proof": b"p" * 33}),
        (Hello, {"proof": None}),
        (Welcome, {"node": "two\nlines"}),
        (Welcome, {"node": "n" * 2000}),
        (Welcome, {"node": True}),
        (Welcome, {"authority": b"c" * 5000}),
        (Signed, {"nonce": b"n" * 33}),
    ],
)
def test_a_wrong_field_is_refused(kind: type[AnyMessage], change: dict[str, object]) -> None:
    good = next(message for message in (HELLO, WELCOME, SIGNED) if type(message) is kind)

    with pytest.raises(PeerError, match="malformed"):
        read(kind, msgpack.packb({**msgpack.unpackb(encode(good)), **change}))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x90", b"\xc1", encode(HELLO)[:-1], encode(HELLO) + b"x"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError, match="malformed"):
        read(Hello, data)


def test_too_much_is_not_looked_at() -> None:
    with pytest.raises(PeerError, match="more than"):
        read(Signed, encode(Signed(b"n" * 32, b"o" * MOST_REQUEST, b"")))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for kind in KINDS:
        try:
            found = read(kind, data)
        except PeerError:
            continue
        assert read(kind, encode(found)) == found


@given(JSON)
def test_a_result_is_whatever_json_can_say(value: object) -> None:
    assert read_result(encode_result(value)) == value


@pytest.mark.parametrize("value", [b"bytes", {1: 2}, {"a": [b"x"]}, msgpack.Timestamp(1)])
def test_other_results_are_refused(value: object) -> None:
    with pytest.raises(PeerError, match="malformed"):
        read_result(msgpack.packb({"result": value}))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_result_or_refused(data: bytes) -> None:
    try:
        value = read_result(data)
    except PeerError:
        return
    assert read_result(encode_result(value)) == value
