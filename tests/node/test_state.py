import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import UserError
from hepto.node.state import SCHEMA, State, dump, load


def test_a_state_survives_the_way_there_and_back() -> None:
    state = State(clock=1_700_000_000.5, handshake=1_699_999_999.0, machine_id="ab" * 16, gossip={"incarnation": 7})

    assert load(dump(state), "state.json") == state


def test_no_file_is_an_empty_state() -> None:
    assert load(None, "state.json") == State()


def test_a_later_schema_is_refused_and_named() -> None:
    with pytest.raises(UserError) as caught:
        load(b'{"schema": %d, "clock": 5}' % (SCHEMA + 1), "/data/state.json")

    assert "/data/state.json" in caught.value.what
    assert "later version" in caught.value.what


@given(st.binary(max_size=100))
def test_any_bytes_are_a_state(data: bytes) -> None:
    assert load(data, "state.json").schema == SCHEMA


@pytest.mark.parametrize(
    "data",
    [
        b'{"clock": true}',
        b'{"clock": "x", "machine_id": 5, "gossip": []}',
        b"[]",
        b"5",
        b'{"clock": NaN, "handshake": -1}',
    ],
)
def test_what_has_another_type_is_not_believed(data: bytes) -> None:
    assert load(data, "state.json") == State()
