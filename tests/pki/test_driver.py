"""A node's keys in files: made once, renewed in time, never made twice."""

import dataclasses
import os
import stat
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from hepto.errors import UserError
from hepto.pki import store
from hepto.pki.driver import ImplausibleClockError, Pki
from hepto.pki.profiles import BY_NAME, DAY, held_by
from hepto.pki.verify import Due, Flaw
from tests.pki.example import MASTER, NOW


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(str(tmp_path), MASTER)
    made.establish(NOW, plausible=True)
    return made


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_new_cluster_has_every_certificate_and_key(tmp_path: Path) -> None:
    pki = Pki(str(tmp_path), MASTER)

    issued = pki.establish(NOW, plausible=True)

    assert issued == tuple(Due(profile, Flaw.MISSING) for profile in held_by(MASTER))
    assert pki.locked
    assert set(content(tmp_path)) == {
        *(f"pki/{profile.name}.pem" for profile in held_by(MASTER)),
        *(f"pki/{name}.{kind}" for name in ("ca", "etcd-ca", "front-proxy-ca") for kind in ("pem", "crt")),
        "pki/service-account.pem",
        "pki/service-account.pub",
        "pki/secrets-encryption.json",
    }


def test_secrets_are_for_nobody_else(pki: Pki, tmp_path: Path) -> None:
    pki.identity()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}

    public = {name for name, mode in modes.items() if mode & 0o077}
    assert public == {"ca.crt", "etcd-ca.crt", "front-proxy-ca.crt", "service-account.pub"}
    assert modes["pki"] == modes["identity"] == 0o700


def test_a_second_start_changes_nothing(pki: Pki, tmp_path: Path) -> None:
    before = content(tmp_path)

    again = Pki(str(tmp_path), MASTER)

    assert again.establish(NOW + timedelta(hours=1), plausible=False) == ()
    assert content(tmp_path) == before
    assert again.fingerprint == pki.fingerprint


def test_no_authority_is_made_by_an_implausible_clock(tmp_path: Path) -> None:
    with pytest.raises(ImplausibleClockError):
        Pki(str(tmp_path), MASTER).establish(NOW, plausible=False)

    assert not Pki(str(tmp_path), MASTER).locked
    assert content(tmp_path) == {}


@pytest.mark.parametrize("years", [11, -2], ids=["after", "before"])
def test_a_clock_outside_of_the_authoritys_life_is_named_and_changes_nothing(
    pki: Pki, tmp_path: Path, years: int
) -> None:
    """It was an AssertionError, which ended the agent again and again until somebody set the clock."""
    before = content(tmp_path)
    jumped = NOW + years * 365 * DAY

    for issue in (partial(pki.establish, jumped, plausible=False), partial(pki.bootstrap, jumped)):
        with pytest.raises(UserError, match=f"the clock shows {jumped:%F}, ") as error:
            issue()
        assert "NTP" in error.value.hint

    assert content(tmp_path) == before
    assert pki.establish(NOW, plausible=True) == ()


@pytest.mark.parametrize("name", ["ca.pem", "etcd-ca.pem", "service-account.pem", "secrets-encryption.json"])
def test_a_locked_directory_never_makes_another_cluster(pki: Pki, tmp_path: Path, name: str) -> None:
    (tmp_path / "pki" / name).unlink()
    before = content(tmp_path)

    with pytest.raises(UserError, match=f"{name} is missing or damaged"):
        Pki(str(tmp_path), MASTER).establish(NOW + DAY * 4, plausible=True)

    assert {path: data for path, data in content(tmp_path).items() if not path.endswith(".pem")} == {
        path: data for path, data in before.items() if not path.endswith(".pem")
    }
    assert not (tmp_path / "pki" / name).exists()


def test_an_interrupted_start_is_finished_with_the_keys_that_were_made(pki: Pki, tmp_path: Path) -> None:
    kept = (tmp_path / "pki" / "etcd-ca.pem").read_bytes()
    for name in ("ca.crt", "ca.pem", "admin.pem"):
        (tmp_path / "pki" / name).unlink()

    again = Pki(str(tmp_path), MASTER)
    again.establish(NOW, plausible=True)

    assert (tmp_path / "pki" / "etcd-ca.pem").read_bytes() == kept
    assert again.due(NOW) == ()


def test_what_is_due_is_renewed_and_nothing_else(pki: Pki, tmp_path: Path) -> None:
    before = content(tmp_path)
    assert pki.deadline(NOW) == NOW + DAY / 2

    issued = pki.renew(NOW + DAY / 2)

    names = {entry.profile.name for entry in issued}
    assert names == {"node-api", "kubelet-client", "kubelet-server", "kube-proxy", "coredns"}
    assert {entry.flaw for entry in issued} == {Flaw.HALF_LIFE}
    changed = {path for path, data in content(tmp_path).items() if before[path] != data}
    assert changed == {f"pki/{name}.pem" for name in names}
    assert pki.deadline(NOW + DAY / 2) == NOW + DAY


def test_a_torn_or_foreign_file_is_issued_again(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "pki" / "admin.pem").write_bytes(b"")
    (tmp_path / "pki" / "scheduler.pem").write_bytes((tmp_path / "pki" / "coredns.pem").read_bytes())

    issued = Pki(str(tmp_path), MASTER).renew(NOW)

    assert issued == (Due(BY_NAME["scheduler"], Flaw.SUBJECT), Due(BY_NAME["admin"], Flaw.UNREADABLE))


def test_new_api_names_are_in_the_next_certificate(pki: Pki, tmp_path: Path) -> None:
    renamed = Pki(str(tmp_path), dataclasses.replace(MASTER, api_names=("k8s.example.net",)))

    assert [(due.profile.name, due.flaw) for due in renamed.due(NOW)] == [
        ("apiserver", Flaw.NAMES),
        ("node-api", Flaw.NAMES),
    ]


def test_the_bootstrap_certificate_is_in_no_file(pki: Pki, tmp_path: Path) -> None:
    before = content(tmp_path)

    pair = pki.bootstrap(NOW)

    assert pair.certificate.not_valid_after_utc == NOW + timedelta(minutes=20)
    assert content(tmp_path) == before


def test_a_deadline_is_never_in_the_past(pki: Pki) -> None:
    for hours in range(0, 24 * 9, 5):
        now = NOW + timedelta(hours=hours)
        deadline = pki.deadline(now)
        assert deadline is not None
        assert deadline > now


def test_the_identity_is_made_once(pki: Pki, tmp_path: Path) -> None:
    first = pki.identity()

    assert Pki(str(tmp_path), MASTER).identity().private_bytes_raw() == first.private_bytes_raw()


def test_a_given_identity_is_never_written(pki: Pki, tmp_path: Path) -> None:
    given = ed25519.Ed25519PrivateKey.generate()

    assert pki.identity(given) is given
    assert not (tmp_path / "identity").exists()


def test_a_damaged_identity_is_not_replaced(pki: Pki, tmp_path: Path) -> None:
    pki.identity()
    path = tmp_path / "identity" / store.IDENTITY
    path.write_bytes(b"damaged")

    with pytest.raises(UserError, match="missing or damaged"):
        pki.identity()

    assert path.read_bytes() == b"damaged"
    assert os.listdir(tmp_path / "identity") == [store.IDENTITY]


def test_all_are_issued_anew_when_that_is_ordered_and_once(tmp_path: Path) -> None:
    pki = Pki(str(tmp_path), MASTER)
    pki.establish(NOW, plausible=True)
    pki.expire()

    assert {due.flaw for due in pki.due(NOW)} == {Flaw.ORDERED}
    assert [due.profile for due in pki.renew(NOW)] == list(held_by(MASTER))
    assert pki.due(NOW) == ()
