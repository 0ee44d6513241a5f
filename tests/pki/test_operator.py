"""Orders of operators: for one node, by a key that it knows."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hepto.pki import operator, sshsig
from hepto.pki.operator import Order, Ordered
from hepto.pki.reasons import PkiError, Reason

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
ADMIN = f"ssh-ed25519 {base64.b64encode(sshsig.blob(PUBLIC)).decode()} me@example.org"
ORDER = Order("mymaster", "replace", ("node1", "ab" * 32), b"n" * 32)


def signed(
    order: Order = ORDER, key: Ed25519PrivateKey = KEY, namespace: str = sshsig.NAMESPACE
) -> tuple[bytes, bytes]:
    data = order.signed()
    return data, sshsig.make(key.public_key().public_bytes_raw(), data, key.sign, namespace)


def test_an_operator_is_obeyed_and_named() -> None:
    ordered = operator.verify(*signed(), (ADMIN,), "mymaster")

    assert ordered == Ordered(ORDER, PUBLIC)
    assert ordered.fingerprint == sshsig.fingerprint(PUBLIC)


def test_a_bad_key_among_the_admins_locks_nobody_out() -> None:
    assert operator.verify(*signed(), ("ssh-rsa AAAA", ADMIN), "mymaster").order == ORDER


def test_the_bytes_that_are_signed_do_not_change() -> None:
    assert (
        Order("a", "status", (), b"n" * 16).signed() == b"hepto order 1\0\0\0\0\1a\0\0\0\6status\0\0\0\x10" + b"n" * 16
    )


@pytest.mark.parametrize(
    ("order", "signature", "reason"),
    [
        (*signed(key=Ed25519PrivateKey.generate()), Reason.NOT_AN_OPERATOR),
        (*signed(Order("node1", "status", (), b"n" * 16)), Reason.NOT_FOR_US),
        (*signed(namespace="git"), Reason.BAD_SIGNATURE),
        (signed()[0] + b"\0\0\0\1x", signed()[1], Reason.BAD_SIGNATURE),
        (*signed(Order("mymaster", "Rm", (), b"n" * 16)), Reason.MALFORMED),
        (*signed(Order("mymaster", "status", (), b"short")), Reason.MALFORMED),
        (*signed(Order("mymaster", "status", ("",) * 17, b"n" * 16)), Reason.MALFORMED),
    ],
    ids=["stranger", "another node", "another purpose", "an argument more", "verb", "nonce", "arguments"],
)
def test_others_are_not(order: bytes, signature: bytes, reason: Reason) -> None:
    with pytest.raises(PkiError) as error:
        operator.verify(order, signature, (ADMIN,), "mymaster")

    assert error.value.kind is reason


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(st.binary(max_size=20), max_size=6).map(
        lambda parts: b"".join((b"hepto order 1\0", *(len(part).to_bytes(4, "big") + part for part in parts)))
    )
)
def test_any_bytes_are_an_order_or_refused(data: bytes) -> None:
    try:
        order = operator.read(data)
    except PkiError as error:
        assert error.kind is Reason.MALFORMED
    else:
        assert order.signed() == data
