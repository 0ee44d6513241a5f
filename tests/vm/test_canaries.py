"""What the scan for secrets in the VM tier looks for, and that it finds it (no machine is booted for this)."""

import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hepto.pki import store
from tests.pki.example import authority, pair
from tests.vm import canaries
from tests.vm.programs import scan

ISSUER = authority()
PAIR = pair("admin", ISSUER)
SECRET = canaries.of_pem("admin", PAIR.pem())
NEEDLES = {"admin": SECRET.spellings()}


def der(format_: PrivateFormat) -> bytes:
    return PAIR.key.private_bytes(Encoding.DER, format_, NoEncryption())


PEM = store.private_pem(PAIR.key)
TRADITIONAL = PAIR.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


WRITTEN = {
    "raw": SECRET.raw,
    "hex": SECRET.raw.hex().encode(),
    "hex with colons": SECRET.raw.hex(":").upper().encode(),
    "PEM": PEM,
    "PEM in JSON": PEM.replace(b"\n", b"\\n"),
    "another PEM": TRADITIONAL,
    "DER": der(PrivateFormat.PKCS8),
    "another DER": der(PrivateFormat.TraditionalOpenSSL),
    **{f"PEM in base64, {before}": base64.b64encode(bytes(before) + PEM) for before in range(3)},
    **{f"DER in base64, {before}": base64.b64encode(bytes(before) + der(PrivateFormat.PKCS8)) for before in range(3)},
    **{
        f"base64 for URLs, {before}": base64.urlsafe_b64encode(bytes(before) + SECRET.raw + b"x") for before in range(3)
    },
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_key_is_found_however_it_is_written(text: bytes) -> None:
    assert scan.search(b"something before " + text + b" and behind", NEEDLES) == ["admin"]


def test_the_public_half_is_no_secret() -> None:
    assert scan.search(store.certificate_pem(PAIR.certificate) + store.public_pem(PAIR.key.public_key()), NEEDLES) == []
    assert scan.search(pair("admin", ISSUER).pem(), NEEDLES) == []


def test_an_identity_is_found_in_its_file() -> None:
    key = Ed25519PrivateKey.generate()
    secret = canaries.of_pem("identity", store.private_pem(key))

    assert secret.raw == key.private_bytes_raw()
    assert scan.search(store.private_pem(key), {"identity": secret.spellings()}) == ["identity"]


def test_a_file_is_looked_into_if_others_may_read_it_or_if_it_is_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "TREES", (str(tmp_path),))
    monkeypatch.setattr(scan, "LOGS", str(tmp_path / "log"))
    for path, mode in (("private", 0o600), ("public", 0o604), ("log/private", 0o600), ("rootfs/public", 0o644)):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(SECRET.raw)
        file.chmod(mode)
    os.link(tmp_path / "public", tmp_path / "log" / "again")
    os.symlink(tmp_path / "private", tmp_path / "link")

    hits = [Path(path).name for path, data in scan.files() if scan.search(data, NEEDLES)]

    assert sorted(hits) == ["private", "public"]


def test_what_was_read_in_a_pod_is_taken_apart_by_place() -> None:
    dump = b"==> environment <==\nA=b\n==> /proc/1/environ <==\nA=b\0==> /x <==\n==> end <==\n"

    assert canaries.read_in_pod(dump) == {
        "environment": b"A=b\n",
        "/proc/1/environ": b"A=b\0",
        "/x": b"",
        "end": b"",
    }
    with pytest.raises(AssertionError, match="no end"):
        canaries.read_in_pod(dump[:-12])
