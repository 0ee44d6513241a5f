"""Refusals: the statuses that nodes of other versions know."""

import pytest

from hepto.pki.reasons import PkiError, Reason, RefusedError


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.MALFORMED, 400),
        (Reason.BAD_MAC, 401),
        (Reason.DENIED, 403),
        (Reason.SECOND_MASTER, 403),
        (Reason.NAME_TAKEN, 409),
        (Reason.BAD_NONCE, 410),
        (Reason.TOO_MANY_NAMES, 429),
        (Reason.BAD_CLOCK, 503),
    ],
)
def test_a_refusal_has_a_name_and_a_status(reason: Reason, status: int) -> None:
    error = PkiError(reason, "because")

    assert (error.status, error.reason, error.body) == (status, reason.value, b"")
    assert str(error) == f"{reason.value}: because"


def test_a_masters_no_is_told_from_what_is_untrue() -> None:
    assert isinstance(RefusedError(Reason.DENIED), PkiError)
    assert len({reason.value for reason in Reason}) == len(Reason)
