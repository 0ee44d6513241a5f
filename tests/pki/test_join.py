"""The messages: any bytes are one of them or malformed, and the transcript is of everything that was said."""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import join
from hepto.pki.join import Answered, Exchange, Hello, Request, Response, Sealed, Welcome
from hepto.pki.reasons import PkiError, Reason
from hepto.values import Role

HELLO = Hello(b"n" * 16, b"m" * 32)
WELCOME = Welcome(b"ca", "mymaster", b"g" * 154, b"n" * 32, 1, b"m" * 32)
REQUEST = Request("node1", Role.NODE, b"i" * 32, b"w" * 32, {"node-api": b"csr"})
SEALED = Sealed(join.encode(REQUEST), b"n" * 16, b"N" * 32, b"s" * 64, b"p" * 32, b"m" * 32)
RESPONSE = Response(
    200, grant=b"g" * 154, master="mymaster", certificates={"node-api": b"c"}, time=1, keys=(b"k" * 32, b"K" * 16)
)
ANSWERED = Answered(join.encode(RESPONSE), b"m" * 32)
READERS: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "hello": (HELLO, join.read_hello),
    "welcome": (WELCOME, join.read_welcome),
    "request": (REQUEST, join.read_request),
    "sealed": (SEALED, join.read_sealed),
    "response": (RESPONSE, join.read_response),
    "answered": (ANSWERED, join.read_answered),
}

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=70) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", READERS)
def test_what_was_encoded_is_read(name: str) -> None:
    message, read = READERS[name]

    assert read(join.encode(message)) == message


@pytest.mark.parametrize("name", READERS)
def test_later_versions_may_say_more_but_not_less(name: str) -> None:
    message, read = READERS[name]
    fields = msgpack.unpackb(join.encode(message))

    assert read(msgpack.packb(fields | {"more": 1})) == message
    for field in fields:
        with pytest.raises(PkiError, match=f"{field}: missing"):
            read(msgpack.packb({key: value for key, value in fields.items() if key != field}))


@given(st.sampled_from(sorted(READERS)), st.data())
def test_any_bytes_are_read_or_malformed(name: str, data: st.DataObject) -> None:
    message, read = READERS[name]
    body = data.draw(st.binary(max_size=80))
    if data.draw(st.booleans()):
        fields = msgpack.unpackb(join.encode(message))
        fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(anything)
        body = msgpack.packb(fields)

    try:
        value = read(body)
    except PkiError as error:
        assert error.kind is Reason.MALFORMED
    else:
        assert read(join.encode(value)) == value


def test_a_message_is_bounded() -> None:
    bounds = ((join.read_hello, join.MOST_REQUEST), (join.read_answered, join.MOST_ANSWER))
    for read, most in bounds:
        with pytest.raises(PkiError, match=f"more than {most} bytes"):
            read(bytes(most + 1))


@pytest.mark.parametrize("depth", [1, 100, 5000])
def test_a_deep_message_is_refused(depth: int) -> None:
    with pytest.raises(PkiError, match="malformed"):
        join.read_hello(b"\x91" * depth + b"\xc0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Node1"),
        ("name", "../etc"),
        ("name", "a" * 64),
        ("role", "admin"),
        ("identity", b"i" * 31),
        ("wireguard", "w" * 32),
        ("csrs", {"node-api": bytes(join.LARGEST_CERTIFICATE + 1)}),
        ("csrs", {f"p{number}": b"x" for number in range(join.MOST_CERTIFICATES + 1)}),
        ("csrs", {"system:masters": b"x"}),
    ],
)
def test_a_request_says_only_what_it_may(field: str, value: object) -> None:
    fields = msgpack.unpackb(join.encode(REQUEST)) | {field: value}

    with pytest.raises(PkiError, match=f"malformed: {field}"):
        join.read_request(msgpack.packb(fields))


def test_the_transcript_is_of_all_that_was_said() -> None:
    said = (Exchange.JOIN, "mycluster", b"key", b"ca", SEALED)
    others = (
        (Exchange.RENEWAL, *said[1:]),
        (said[0], "other", *said[2:]),
        (*said[:2], b"another key", *said[3:]),
        (*said[:3], b"another ca", SEALED),
        (*said[:4], dataclasses.replace(SEALED, nonce=b"o" * 16)),
        (*said[:4], dataclasses.replace(SEALED, master_nonce=b"o" * 32)),
        (*said[:4], dataclasses.replace(SEALED, request=b"other")),
    )

    transcripts = {join.transcript(*said), *(join.transcript(*other) for other in others)}

    assert len(transcripts) == 1 + len(others)


def test_keys_do_not_show() -> None:
    assert "kkk" not in repr(RESPONSE)
    assert "kkk" not in repr(ANSWERED)
