"""Whether etcd has written anything, from the first bytes of its log: real ones, and every way to damage them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.kube.etcd_log import ENOUGH, is_unborn

VECTORS = Path(__file__).parent.parent / "vectors"
UNBORN = (VECTORS / "etcd-unborn.wal").read_bytes().ljust(ENOUGH, b"\0")
BEGUN = (VECTORS / "etcd-begun.wal").read_bytes().ljust(ENOUGH, b"\0")
FIRST_ENTRY = 80
"""Where it begins in both: behind the checksum, the metadata and the empty snapshot."""


def test_a_log_without_an_entry_is_of_nobody() -> None:
    assert is_unborn(UNBORN)


def test_a_log_with_an_entry_is_somebodys() -> None:
    assert not is_unborn(BEGUN)
    assert is_unborn(BEGUN[:FIRST_ENTRY].ljust(ENOUGH, b"\0"))


@pytest.mark.parametrize("length", range(0, 97, 8))
def test_a_log_that_is_cut_off_is_not_judged(length: int) -> None:
    """The file is 64 MB from its beginning; one that is not was not left by etcd."""
    assert is_unborn(UNBORN[:length]) is (length >= FIRST_ENTRY + 8)


@pytest.mark.parametrize("data", [b"", bytes(8), bytes(ENOUGH), b"\xff" * ENOUGH])
def test_what_is_no_log_is_not_judged(data: bytes) -> None:
    assert not is_unborn(data)


def test_no_changed_byte_makes_nobody_of_somebody() -> None:
    """All of them: what is taken for nobody's is removed."""
    for place in range(len(BEGUN.rstrip(b"\0"))):
        for change in range(1, 256):
            damaged = bytearray(BEGUN[:1024])
            damaged[place] ^= change
            assert not is_unborn(bytes(damaged)), (place, change)


@given(st.binary(max_size=300))
def test_any_bytes_are_judged_without_an_error(data: bytes) -> None:
    is_unborn(data)
    is_unborn(UNBORN[:FIRST_ENTRY] + data)
