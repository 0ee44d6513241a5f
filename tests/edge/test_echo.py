import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.edge.echo import reply, request


def test_a_request_has_the_size_that_is_asked_for_with_its_header() -> None:
    data = request(0x1234, 0x5678, 1280)

    assert len(data) == 1240
    assert data[:8] == bytes.fromhex("8000 0000 1234 5678")
    assert not any(data[8:])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("8100 abcd 1234 5678", 0x5678),
        ("8100 abcd 1235 5678", None),
        ("8000 abcd 1234 5678", None),
        ("8101 abcd 1234 5678", None),
        ("8100 abcd 1234 56", None),
    ],
)
def test_only_answers_to_our_own_requests_count(data: str, expected: int | None) -> None:
    assert reply(bytes.fromhex(data), 0x1234) == expected


@given(st.binary(max_size=50))
def test_any_bytes_are_read(data: bytes) -> None:
    reply(data, 0)
