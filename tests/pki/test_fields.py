"""What is signed has one meaning, and keys are derived as others derive them."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.pki import fields
from hepto.pki.reasons import PkiError, Reason
from hepto.wireguard import public_key


def test_the_bytes_that_are_signed_do_not_change() -> None:
    """A change here is a breaking change: every grant would be void."""
    assert fields.signed("hepto grant 1", b"", b"ab") == b"hepto grant 1\0" + bytes(4) + b"\0\0\0\x02ab"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=5), st.lists(st.binary(max_size=8), max_size=5))
def test_different_fields_are_different_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (fields.signed("a", *one) == fields.signed("a", *other)) == (one == other)
    assert fields.split("a", fields.signed("a", *one)) == tuple(one)


@settings(deadline=None)
@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda data: b"a\0" + data))
def test_any_bytes_split_or_are_malformed(data: bytes) -> None:
    try:
        parts = fields.split("a", data)
    except PkiError as error:
        assert error.kind is Reason.MALFORMED
    else:
        assert fields.signed("a", *parts) == data


@pytest.mark.parametrize(
    ("key", "salt", "info", "expected"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["RFC 5869 A.1", "RFC 5869 A.3"],
)
def test_hkdf_is_that_of_the_rfc(key: bytes, salt: bytes, info: bytes, expected: str) -> None:
    assert fields.hkdf(key, salt, info, 42).hex() == expected


def test_the_join_key_is_of_key_and_cluster() -> None:
    extracted = hmac.digest(hashlib.sha256(b"mycluster").digest(), bytes(32), "sha256")

    expected = hmac.digest(extracted, b"hepto join 1\x01", "sha256")

    assert fields.join_key(bytes(32), "mycluster") == expected
    assert fields.join_key(bytes(32), "other") != expected
    assert fields.join_key(bytes(31) + b"\1", "mycluster") != expected


def test_two_wireguard_keys_agree() -> None:
    one, other = (X25519PrivateKey.generate().private_bytes_raw() for _ in range(2))

    shared = fields.shared_key(one, public_key(other))

    assert shared == fields.shared_key(other, public_key(one))
    assert len(shared) == 32


@pytest.mark.parametrize("public", [bytes(32), b"\1" + bytes(31)])
def test_a_key_of_small_order_proves_nothing(public: bytes) -> None:
    with pytest.raises(PkiError) as error:
        fields.shared_key(X25519PrivateKey.generate().private_bytes_raw(), public)

    assert error.value.kind is Reason.NO_POSSESSION


def test_a_mac_is_of_its_name_too() -> None:
    assert fields.mac(b"k", "a", b"x") != fields.mac(b"k", "b", b"x")
    assert fields.same(fields.mac(b"k", "a", b"x"), hmac.digest(b"k", b"a\0\0\0\0\x01x", "sha256"))
