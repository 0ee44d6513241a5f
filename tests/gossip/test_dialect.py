"""The dialect: what every generation of receivers can read, and reading of all that any of them sends."""

import struct
import time
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import dialect, limits
from hepto.gossip.dialect import BOOLEAN, BYTES, SIGNED, TEXT, TruncatedError
from hepto.gossip.reasons import GossipError

KINDS = {b"Small": 16, b"Large": 32, b"Count": SIGNED, b"Flag": BOOLEAN, b"Name": TEXT, b"Data": BYTES}

# What may stand for a field nobody knows: Any, since msgpack's values nest.
UNKNOWN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        b"Small": st.integers(0, 2**16 - 1),
        b"Large": st.integers(0, 2**32 - 1),
        b"Count": st.integers(-(2**63), 2**63 - 1),
        b"Flag": st.booleans(),
        b"Name": st.binary(max_size=300),
        b"Data": st.binary(max_size=70000),
    },
)


def read(data: bytes) -> dict[bytes, Any]:
    return dialect.record(data, KINDS)[0]


def reason(data: bytes) -> str:
    with pytest.raises(GossipError) as caught:
        dialect.record(data, KINDS)
    return caught.value.reason


def one(key: bytes, value: bytes) -> bytes:
    """A record of one field, the value encoded already."""
    return b"\x81" + dialect.raw(key) + value


@given(st.binary(max_size=70000))
def test_text_and_bytes_are_written_raw(data: bytes) -> None:
    written = dialect.raw(data)

    assert written == msgpack.packb(data, use_bin_type=False)
    assert written[0] in {*range(0xA0, 0xC0), 0xDA, 0xDB}


@pytest.mark.parametrize("size", [0, 1, 31, 32, 255, 256, 65535, 65536])
def test_lengths_around_each_form_are_written_and_read(size: int) -> None:
    assert read(one(b"Data", dialect.raw(bytes(size)))) == {b"Data": bytes(size)}


@pytest.mark.parametrize(
    ("value", "unsigned", "signed"),
    [
        (0, "00", "00"),
        (127, "7f", "7f"),
        (128, "cc80", "d10080"),
        (255, "ccff", "d100ff"),
        (256, "cd0100", "d10100"),
        (32767, "cd7fff", "d17fff"),
        (65535, "cdffff", "d20000ffff"),
        (65536, "ce00010000", "d200010000"),
        (2**32 - 1, "ceffffffff", "d300000000ffffffff"),
        (2**32, "cf0000000100000000", "d30000000100000000"),
    ],
)
def test_integers_are_as_short_as_their_fields_type_allows(value: int, unsigned: str, signed: str) -> None:
    assert dialect.unsigned(value).hex() == unsigned
    assert dialect.signed(value).hex() == signed
    assert (
        read(one(b"Count", bytes.fromhex(unsigned))) == read(one(b"Count", bytes.fromhex(signed))) == {b"Count": value}
    )


@pytest.mark.parametrize("value", [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)])
def test_negative_integers_are_as_short_as_possible(value: int) -> None:
    assert dialect.signed(value) == msgpack.packb(value)
    assert read(one(b"Count", dialect.signed(value))) == {b"Count": value}


@given(RECORDS, st.booleans())
def test_a_record_of_any_make_reads_as_it_was_written(fields: dict[bytes, Any], new: bool) -> None:
    written = msgpack.packb(fields, use_bin_type=new)

    assert dialect.record(written + b"\xc1 junk", KINDS) == (fields, len(written))


@given(RECORDS, st.lists(st.tuples(st.text(max_size=3), UNKNOWN), max_size=3))
def test_unknown_fields_are_skipped_whatever_they_are(fields: dict[bytes, Any], unknown: list[tuple[str, Any]]) -> None:
    written = msgpack.packb(fields | dict(unknown), use_bin_type=True)

    assert dialect.record(written, KINDS) == (fields, len(written))


@given(RECORDS, UNKNOWN, st.data())
def test_every_beginning_of_a_record_wants_more_and_never_more_than_there_is(
    fields: dict[bytes, Any], unknown: Any, data: st.DataObject
) -> None:
    written = msgpack.packb({"Unknown": unknown} | fields, use_bin_type=data.draw(st.booleans()))
    size = data.draw(st.integers(0, len(written) - 1))

    with pytest.raises(TruncatedError) as caught:
        dialect.record(written[:size], KINDS)

    assert size < caught.value.needed <= len(written)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_are_refused_by_name(data: bytes) -> None:
    try:
        fields, end = dialect.record(data, KINDS)
    except GossipError as error:
        assert error.reason in {"msgpack-invalid", "msgpack-type"}
    else:
        assert set(fields) <= set(KINDS)
        assert 0 < end <= len(data)


@pytest.mark.parametrize("key", [b"Small", b"Large", b"Count", b"Flag", b"Name", b"Data"])
def test_nil_is_nothing(key: bytes) -> None:
    assert read(one(key, b"\xc0")) == {}


def test_nil_for_the_whole_record_is_an_empty_one() -> None:
    assert dialect.record(b"\xc0", KINDS) == ({}, 1)


def test_the_last_of_a_duplicated_key_counts() -> None:
    assert read(b"\x82\xa5Small\x01\xa5Small\x02") == {b"Small": 2}
    assert read(b"\x82\xa5Small\x01\xa5Small\xc0") == {}


def test_names_of_fields_are_case_sensitive_and_may_come_in_any_form() -> None:
    assert read(b"\x84\xa5small\x01\xd9\x05Large\x02\xc4\x05Count\x03\xda\x00\x04Flag\xc3") == {
        b"Large": 2,
        b"Count": 3,
        b"Flag": True,
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"Small", b"\xcd\xff\xff"),
        (b"Small", b"\xcf" + (7).to_bytes(8, "big")),
        (b"Small", b"\xd1\x00\x07"),
        (b"Flag", b"\x00"),
        (b"Flag", b"\x01"),
        (b"Data", b"\x92\x01\xcc\xff"),
        (b"Data", b"\xdc\x00\x01\x05"),
        (b"Data", b"\xd9\x01x"),
        (b"Name", b"\xc4\x01x"),
    ],
    ids=lambda part: part.hex() if part[0] > 127 else part.decode(errors="ignore"),
)
def test_other_forms_of_a_value_are_accepted(key: bytes, value: bytes) -> None:
    expected = msgpack.unpackb(value, raw=True)

    assert read(one(key, value))[key] == (bytes(expected) if isinstance(expected, list) else expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"Small", b"\xce\x00\x01\x00\x00"),
        (b"Small", b"\xff"),
        (b"Small", b"\xd0\x80"),
        (b"Small", b"\xa17"),
        (b"Small", b"\xc3"),
        (b"Small", b"\xca" + struct.pack(">f", 7)),
        (b"Large", b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
        (b"Count", b"\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
        (b"Flag", b"\x02"),
        (b"Flag", b"\xa0"),
        (b"Name", b"\x91\x01"),
        (b"Name", b"\x07"),
        (b"Data", b"\x92\x01\xcd\x01\x00"),
        (b"Data", b"\x91\xff"),
        (b"Data", b"\x91\xa0"),
        (b"Data", b"\x80"),
        (b"Data", b"\xd4\x00\x00"),
        (b"Data", b"\xc1"),
    ],
    ids=lambda part: part.hex() if part[0] > 127 else part.decode(errors="ignore"),
)
def test_a_value_of_another_type_or_range_is_refused(key: bytes, value: bytes) -> None:
    assert reason(one(key, value)) == "msgpack-type"


@pytest.mark.parametrize(
    "data", [b"\x05", b"\x92\x07\xa0", b"\xa0", b"\xc3", b"\x81\x01\x02", b"\x81\xc0\x02"], ids=bytes.hex
)
def test_what_is_no_map_of_named_fields_is_refused(data: bytes) -> None:
    assert reason(data) == "msgpack-type"


def test_a_byte_that_begins_no_value_is_refused_in_unknown_fields_too() -> None:
    assert reason(one(b"Other", b"\xc1")) == "msgpack-invalid"


@pytest.mark.parametrize(
    "data",
    [
        b"\xdf\xff\xff\xff\xff\xa5Small\x07",
        b"\xde" + (limits.RECORD_FIELDS + 1).to_bytes(2, "big"),
        one(b"Other", b"\xdd\xff\xff\xff\xff"),
        one(b"Other", b"\xdd\x00\x01\x00\x00" * 1000),
        one(b"Other", b"\xdc\x04\x01" + bytes(1025)),
        one(b"Other", b"\x91" * 100_000),
        one(b"Data", b"\xdd\xff\xff\xff\xff"),
        one(b"Data", b"\xdc\x04\x01" + bytes(1025)),
        one(b"Data", b"\xc6\x7f\xff\xff\xff"),
        one(b"Other", b"\xdb\xff\xff\xff\xff"),
    ],
    ids=range(10),
)
def test_announcing_much_costs_nothing(data: bytes) -> None:
    begin = time.process_time()

    assert reason(data) == "msgpack-invalid"

    assert time.process_time() - begin < 0.02


def test_a_record_with_as_many_fields_as_allowed_is_read() -> None:
    count = limits.RECORD_FIELDS
    unknown = b"".join(dialect.raw(b"%d" % number) + b"\xc0" for number in range(count - 1))

    assert read(b"\xde" + count.to_bytes(2, "big") + unknown + b"\xa5Small\x07") == {b"Small": 7}


def test_a_record_may_begin_anywhere() -> None:
    assert dialect.record(b"junk" + one(b"Small", b"\x07") + b"junk", KINDS, 4) == ({b"Small": 7}, 12)
