"""The signer's memory: nothing gets lost on the disk, and a damaged one is not taken for an empty one."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.errors import UserError
from hepto.pki import admission, register
from hepto.pki.register import Pending, Register, dump, load
from hepto.values import Role
from tests.pki.example import NOW, Master, Node, unix


def full() -> Register:
    master, node = Master(), Node()
    master.join(node)
    master.join(Node("node2"))
    master.order(admission.revoke(master.register, "node2", master.facts, NOW))
    waiting = master.register.with_pending("ab" * 32, Pending("node3", Role.NODE, unix()))
    return waiting.with_admitted("cd" * 32, "node4")


FULL = full()


def test_what_was_written_is_read() -> None:
    assert load(dump(FULL)) == FULL
    assert load(dump(Register())) == Register()
    assert FULL.pending
    assert FULL.admitted
    assert FULL.denied
    assert FULL.forgotten
    assert FULL.revocations.entries
    assert FULL.joined


def test_a_register_from_before_nodes_were_forgotten_is_read() -> None:
    value = json.loads(dump(FULL))
    del value["forgotten"]

    assert load(json.dumps(value).encode()) == dataclasses.replace(FULL, forgotten=frozenset())


def test_a_later_version_is_not_read() -> None:
    value = json.loads(dump(FULL)) | {"schema": 2}

    with pytest.raises(UserError, match="schema 2, of a later version"):
        load(json.dumps(value).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b"1", b'{"schema": 1}', b"\xff", pytest.param(dump(FULL)[:-10], id="cut")],
)
def test_a_damaged_one_is_not_an_empty_one(data: bytes) -> None:
    with pytest.raises(UserError, match="register of the cluster's nodes is damaged"):
        load(data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(sorted(json.loads(dump(FULL)))), anything)
def test_any_other_field_is_read_or_damaged(name: str, value: Any) -> None:
    changed = json.dumps(json.loads(dump(FULL)) | {name: value}).encode()

    try:
        read = load(changed)
    except UserError:
        return
    assert load(dump(read)) == read


def test_serials_never_fall_behind_a_lost_register() -> None:
    assert Register().next_serial(unix()) == unix() * 1000
    assert Register(serial=unix() * 1000).next_serial(unix()) == unix() * 1000 + 1
    assert Register(serial=5).next_serial(0.0) == 6


def test_the_hour_is_forgotten_with_the_hour() -> None:
    hour = Register(joined=(100, 200))

    assert hour.recently_joined(3699) == (100, 200)
    assert hour.recently_joined(3700) == (200,)
    assert Register(joined=(10**9,)).recently_joined(0) == ()


def test_one_fingerprint_is_admitted_for_a_name() -> None:
    both = Register().with_admitted("ab" * 32, "node1").with_admitted("cd" * 32, "node1")

    assert both.admitted == {"cd" * 32: "node1"}
    assert register.SCHEMA == 1
