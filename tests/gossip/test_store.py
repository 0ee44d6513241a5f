"""What is remembered comes back, and nothing that is broken does harm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip import store
from hepto.gossip.messages import Address
from hepto.gossip.store import Remembered

ADDRESSES = st.builds(Address, st.binary(min_size=16, max_size=16), st.integers(1, 65535))


@given(st.integers(0, 2**32 - 1), st.lists(ADDRESSES, max_size=store.MOST_ADDRESSES).map(tuple))
def test_what_is_written_is_read(incarnation: int, addresses: tuple[Address, ...]) -> None:
    remembered = Remembered(incarnation, addresses)

    assert store.decode(store.encode(remembered)) == (remembered, "")


def test_no_file_is_nothing_to_complain_about() -> None:
    assert store.decode(None) == (Remembered(), "")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=10).map(json.dumps)
)
def test_a_broken_file_is_as_if_it_were_not_there(data: bytes | str) -> None:
    remembered, complaint = store.decode(data.encode() if isinstance(data, str) else data)

    assert remembered == Remembered()
    assert complaint or data in ("null", b"null")


@pytest.mark.parametrize(
    ("value", "incarnation", "complaint"),
    [
        ({"schema": 2, "incarnation": 7, "members": []}, 0, "it has schema 2, of a later version"),
        ({"incarnation": -1, "members": []}, 0, "it is no incarnation with a list of members"),
        ({"incarnation": 7, "members": ["2001:db8::1"]}, 7, "'2001:db8::1' is not [address]:port"),
        ({"incarnation": 7, "members": [9]}, 7, "9 is no address"),
        ({"incarnation": 7, "members": ["[2001:db8::1]:0"]}, 7, "'[2001:db8::1]:0' is not [address]:port"),
    ],
)
def test_what_is_wrong_is_said(value: object, incarnation: int, complaint: str) -> None:
    assert store.load(value) == (Remembered(incarnation), complaint)


def test_an_address_of_ipv4_is_not_remembered() -> None:
    kept = Address(bytes(15) + b"\1", 7946)

    assert store.dump(Remembered(1, (Address(bytes(4), 7946), kept)))["members"] == ["[::1]:7946"]


@pytest.mark.parametrize(
    ("stored", "clock", "first"),
    [
        (0, 0.0, 1),
        (0, 1_800_000_000.5, 1_800_000_000),
        (1_900_000_000, 1.0, 1_900_000_001),
        (2**32 - 1, 0.0, 2**32 - 1),
    ],
    ids=["nothing known", "a new node", "a clock that went back", "the last there is"],
)
def test_a_new_life_is_newer_than_the_last(stored: int, clock: float, first: int) -> None:
    assert store.first_incarnation(Remembered(stored), clock) == first
