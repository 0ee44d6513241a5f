"""Endpoint records: whoever has the identity says where it is, and nobody else."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hepto.pki import endpoint

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
RECORD = ("node1", (b"a" * 16, b"b" * 16), 7947, 7948, 3)
SIGNATURE = endpoint.sign(KEY, *RECORD)


def test_a_record_is_verified_by_its_identity() -> None:
    assert len(SIGNATURE) == 64
    assert endpoint.verify(PUBLIC, *RECORD, SIGNATURE)


@pytest.mark.parametrize(
    "changed",
    [
        ("node2", *RECORD[1:]),
        ("node1", (b"b" * 16, b"a" * 16), *RECORD[2:]),
        ("node1", (b"a" * 16,), *RECORD[2:]),
        ("node1", RECORD[1], 7948, 7947, 3),
        (*RECORD[:4], 4),
    ],
    ids=["name", "order", "addresses", "ports", "counter"],
)
def test_another_record_is_not(changed: tuple[str, tuple[bytes, ...], int, int, int]) -> None:
    assert not endpoint.verify(PUBLIC, *changed, SIGNATURE)


@pytest.mark.parametrize(
    ("identity", "signature"),
    [(bytes(32), SIGNATURE), (b"", SIGNATURE), (PUBLIC, b""), (PUBLIC, bytes(64)), (b"\xff" * 32, SIGNATURE)],
    ids=["zeros", "no key", "no signature", "signature of zeros", "ones"],
)
def test_nonsense_is_no_signature(identity: bytes, signature: bytes) -> None:
    assert not endpoint.verify(identity, *RECORD, signature)
