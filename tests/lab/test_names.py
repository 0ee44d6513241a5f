"""The lab's DNS answers, byte by byte where it matters."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.lab.names import Table, answer

OUTSIDE = IPv6Address("2001:db8:2::2")
TABLE: Table = {"outside.lab.internal": OUTSIDE, "old.lab.internal": IPv4Address("192.0.2.1")}
OLD_NAME = b"\3old\3lab\10internal\0"
AAAA, A, TXT = 28, 1, 16
QUESTION_NAME = b"\7outside\3lab\10internal\0"


def question(name: bytes = QUESTION_NAME, kind: int = AAAA, flags: int = 0x0100, count: int = 1) -> bytes:
    return struct.pack("!HHHHHH", 0x1234, flags, count, 0, 0, 0) + name + struct.pack("!HH", kind, 1)


def test_a_known_name_gives_its_address() -> None:
    asked = question()

    expected = (
        bytes.fromhex("1234 8580 0001 0001 0000 0000")
        + asked[12:]
        + bytes.fromhex("c00c 001c 0001 0000001e 0010 20010db8000200000000000000000002")
    )
    assert answer(asked, TABLE) == expected


def test_a_name_of_ipv4_alone_gives_that() -> None:
    asked = question(OLD_NAME, kind=A)

    expected = (
        bytes.fromhex("1234 8580 0001 0001 0000 0000")
        + asked[12:]
        + bytes.fromhex("c00c 0001 0001 0000001e 0004 c0000201")
    )
    assert answer(asked, TABLE) == expected


def test_the_case_of_a_name_does_not_matter_and_is_given_back() -> None:
    asked = question(b"\7OutSide\3lab\10internal\0")
    reply = answer(asked, TABLE)

    assert reply is not None
    assert reply.endswith(OUTSIDE.packed)
    assert b"OutSide" in reply


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        (QUESTION_NAME, A, 0),
        (QUESTION_NAME, TXT, 0),
        (OLD_NAME, AAAA, 0),
        (b"\3lab\10internal\0", AAAA, 0),
        (b"\7nowhere\3lab\10internal\0", AAAA, 3),
        (b"\7example\3org\0", AAAA, 3),
        (b"\0", AAAA, 3),
    ],
    ids=["no-ipv4", "no-text", "no-ipv6", "empty-non-terminal", "unknown", "elsewhere", "root"],
)
def test_what_is_not_there_gives_no_answer_and_the_right_code(name: bytes, kind: int, code: int) -> None:
    reply = answer(question(name, kind), TABLE)

    assert reply is not None
    _, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", reply)
    assert (flags & 0xF, questions, answers) == (code, 1, 0)


def test_another_operation_is_not_implemented() -> None:
    reply = answer(question(flags=0x2800), TABLE)

    assert reply is not None
    assert reply[3] & 0xF == 4


@pytest.mark.parametrize(
    "junk",
    [b"", b"\0" * 11, question(flags=0x8000), question(count=2), question()[:-3], question(b"\xc0\x0c"), b"x" * 600],
    ids=["empty", "short", "answer", "two-questions", "cut", "compressed", "long"],
)
def test_what_is_no_question_is_met_with_silence(junk: bytes) -> None:
    assert answer(junk, TABLE) is None


@given(st.binary(max_size=600))
def test_no_bytes_raise(junk: bytes) -> None:
    reply = answer(junk, TABLE)

    assert reply is None or reply[:2] == junk[:2]
