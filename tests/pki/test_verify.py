"""When a certificate is replaced."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from hepto.pki import issue
from hepto.pki.profiles import BY_NAME, DAY, MINUTES, Authority, Usage
from hepto.pki.verify import Flaw, flaw, renewal, signed_by
from tests.pki.example import MASTER, NOW, WORKER, authority, key, pair

ISSUER = authority()
PROFILE = BY_NAME["kubelet-server"]
LEAF = pair("kubelet-server", ISSUER, WORKER).certificate


def test_a_fresh_certificate_stays() -> None:
    assert flaw(LEAF, PROFILE, WORKER, ISSUER.certificate, NOW) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW - timedelta(hours=1, seconds=1), Flaw.NOT_YET_VALID),
        (NOW - timedelta(hours=1), None),
        (NOW + DAY / 2 - timedelta(seconds=1), None),
        (NOW + DAY / 2, Flaw.HALF_LIFE),
        (NOW + DAY - timedelta(seconds=1), Flaw.HALF_LIFE),
        (NOW + DAY, Flaw.EXPIRED),
    ],
)
def test_life_is_halved_from_issue(now: datetime, expected: Flaw | None) -> None:
    assert flaw(LEAF, PROFILE, WORKER, ISSUER.certificate, now) is expected


def test_renewal_is_the_first_instant_that_is_due() -> None:
    assert renewal(LEAF, PROFILE) == NOW + DAY / 2


def test_a_shorter_life_that_the_signer_gave_is_halved_too() -> None:
    own = key()
    leaf = issue.leaf(PROFILE, WORKER, own.public_key(), ISSUER, 3, NOW, MINUTES)

    assert leaf.not_valid_after_utc == NOW + MINUTES
    assert renewal(leaf, PROFILE) == NOW + MINUTES / 2
    assert renewal(LEAF, dataclasses.replace(PROFILE, lifetime=MINUTES)) == NOW + DAY - MINUTES / 2, "another table"


def test_a_leaf_of_the_time_before_its_authority_is_renewed_before_it_ends() -> None:
    early = NOW - timedelta(minutes=30)  # the clock was set back after the authority had been made
    leaf = pair("kubelet-server", ISSUER, WORKER, early).certificate

    assert early < renewal(leaf, PROFILE) <= early + DAY * 0.75


def test_another_authority_with_the_same_name_did_not_sign_it() -> None:
    twin = authority()

    assert twin.certificate.subject == ISSUER.certificate.subject
    assert flaw(LEAF, PROFILE, WORKER, twin.certificate, NOW) is Flaw.ISSUER
    assert not signed_by(LEAF, authority(Authority.ETCD).certificate)


@pytest.mark.parametrize(
    ("profile", "subject", "expected"),
    [
        (PROFILE, MASTER, Flaw.SUBJECT),
        (PROFILE, dataclasses.replace(WORKER, master=True), Flaw.NAMES),
        (dataclasses.replace(PROFILE, usages=(Usage.CLIENT,)), WORKER, Flaw.USAGES),
    ],
    ids=["another node", "another role", "another table"],
)
def test_what_it_says_must_be_what_the_table_says(profile: object, subject: object, expected: Flaw) -> None:
    assert flaw(LEAF, profile, subject, ISSUER.certificate, NOW) is expected  # type: ignore[arg-type]
