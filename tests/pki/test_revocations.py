"""The list of revoked grants: signed, ordered, bounded."""

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import revocations
from hepto.pki.reasons import PkiError, Reason
from hepto.pki.revocations import MOST_ENTRIES, Revocations, Revoked
from tests.pki.example import authority

ISSUER = authority()
FINGERPRINT = ISSUER.certificate.fingerprint(hashes.SHA256())
LIST = Revocations(9, (Revoked(1, 100), Revoked(5, 50)))
ISSUED = revocations.issue(LIST, FINGERPRINT, ISSUER.key)


def test_what_was_issued_is_verified() -> None:
    assert revocations.verify(ISSUED, ISSUER.certificate) == LIST
    assert ISSUED.startswith(b"hepR")
    assert [serial for serial in range(8) if LIST.holds(serial)] == [1, 5]
    assert not Revocations().holds(1)


def test_it_is_dropped_when_it_would_have_expired() -> None:
    assert LIST.prune(50) == LIST
    assert LIST.prune(51) == Revocations(9, (Revoked(1, 100),))


def test_a_newer_list_has_the_old_ones_once_and_in_order() -> None:
    newer = LIST.adding((Revoked(3, 7), Revoked(5, 50)), 10)

    assert newer == Revocations(10, (Revoked(1, 100), Revoked(3, 7), Revoked(5, 50)))


def test_no_changed_bit_is_believed() -> None:
    for place in range(len(ISSUED)):
        changed = bytearray(ISSUED)
        changed[place] ^= 1
        with pytest.raises(PkiError, match="bad-revocations"):
            revocations.verify(bytes(changed), ISSUER.certificate)


def test_another_cluster_revokes_nothing_here() -> None:
    with pytest.raises(PkiError, match="not signed by this cluster's CA"):
        revocations.verify(ISSUED, authority().certificate)


def test_the_longest_list_is_read_and_a_longer_one_is_not() -> None:
    longest = Revocations(1, tuple(Revoked(serial, 1) for serial in range(MOST_ENTRIES)))
    issued = revocations.issue(longest, FINGERPRINT, ISSUER.key)

    assert revocations.verify(issued, ISSUER.certificate) == longest
    assert len(issued) == revocations.MOST_BYTES
    with pytest.raises(PkiError, match="bad-revocations"):
        revocations.read(issued + bytes(16))


@pytest.mark.parametrize("entries", [(Revoked(5, 1), Revoked(1, 1)), (Revoked(1, 1), Revoked(1, 2))])
def test_serials_ascend(entries: tuple[Revoked, ...]) -> None:
    with pytest.raises(PkiError, match="ascend"):
        revocations.read(revocations.issue(Revocations(1, entries), FINGERPRINT, ISSUER.key))


@given(st.binary(max_size=120) | st.binary(max_size=120).map(lambda data: b"hepR" + data))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert isinstance(revocations.read(data), Revocations)
        revocations.verify(data, ISSUER.certificate)
    except PkiError as error:
        assert error.kind is Reason.BAD_REVOCATIONS
