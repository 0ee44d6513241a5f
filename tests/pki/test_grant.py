"""Grants: signed for one name, in bytes that leave room in the meta."""

import dataclasses

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from hepto.gossip.plain import MOST_ADDRESSES, EndpointRecord, Meta, decode_meta, encode_meta
from hepto.pki import grant
from hepto.pki.grant import Grant
from hepto.pki.reasons import PkiError, Reason
from hepto.values import Role
from tests.pki.example import authority, unix

ISSUER = authority()
FINGERPRINT = ISSUER.certificate.fingerprint(hashes.SHA256())
GRANT = Grant("node1", Role.NODE, b"i" * 32, b"w" * 32, 7, unix(), unix() + grant.LIFETIME)
ISSUED = grant.issue(GRANT, FINGERPRINT, ISSUER.key)


@pytest.mark.parametrize("role", Role)
def test_what_was_issued_is_verified(role: Role) -> None:
    issued = dataclasses.replace(GRANT, role=role)

    assert grant.verify(grant.issue(issued, FINGERPRINT, ISSUER.key), "node1", ISSUER.certificate) == issued


def test_a_grant_is_for_one_name_of_one_cluster() -> None:
    for node, certificate in (("node2", ISSUER.certificate), ("node1", authority().certificate)):
        with pytest.raises(PkiError) as error:
            grant.verify(ISSUED, node, certificate)
        assert error.value.kind is Reason.BAD_GRANT


def test_no_changed_bit_is_believed() -> None:
    for place in range(len(ISSUED)):
        changed = bytearray(ISSUED)
        changed[place] ^= 1
        with pytest.raises(PkiError, match="bad-grant"):
            grant.verify(bytes(changed), "node1", ISSUER.certificate)


@given(st.binary(max_size=200) | st.binary(min_size=grant.BYTES, max_size=grant.BYTES))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert grant.read(data, "node1").node == "node1"
        grant.verify(data, "node1", ISSUER.certificate)
    except PkiError as error:
        assert error.kind is Reason.BAD_GRANT


@pytest.mark.parametrize(("addresses", "expected"), [(1, 259), (MOST_ADDRESSES, 385)])
def test_it_leaves_room_in_the_meta(addresses: int, expected: int) -> None:
    endpoint = EndpointRecord((bytes(16),) * addresses, 0xFFFF, 0xFFFF, 2**64 - 1, bytes(64))

    meta = encode_meta(Meta(ISSUED, endpoint))

    assert len(ISSUED) == grant.BYTES == 154
    assert len(meta) == expected <= 512
    assert decode_meta(meta) == Meta(ISSUED, endpoint)


def test_time_is_asked_for_separately() -> None:
    assert [GRANT.valid_at(time) for time in (unix() - 1, unix(), GRANT.not_after, GRANT.not_after + 1)] == [
        False,
        True,
        True,
        False,
    ]
    assert not GRANT.due_at(unix() + grant.LIFETIME // 2 - 1)
    assert GRANT.due_at(unix() + grant.LIFETIME // 2)
