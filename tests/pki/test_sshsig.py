"""OpenSSH's signatures: those of its own programs, and those that we make."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hepto.pki import sshsig
from hepto.pki.reasons import PkiError, Reason
from hepto.values import BadValue

VECTORS = Path(__file__).parent.parent / "vectors" / "sshsig"
MESSAGE = (VECTORS / "message").read_bytes()
PUBLIC = (VECTORS / "ed25519.pub").read_text()
SIGNATURE = (VECTORS / "sha512.sig").read_bytes()


@pytest.mark.parametrize("name", ["sha512", "sha256", "agent"])
def test_signatures_of_openssh_are_verified(name: str) -> None:
    assert sshsig.verify((VECTORS / f"{name}.sig").read_bytes(), MESSAGE) == sshsig.public_key(PUBLIC)


def test_a_key_has_the_fingerprint_that_openssh_prints() -> None:
    assert sshsig.fingerprint(sshsig.public_key(PUBLIC)) == (VECTORS / "ed25519.fingerprint").read_text().strip()


@pytest.mark.parametrize(
    ("name", "message", "reason"),
    [
        ("sha512", MESSAGE + b"!", Reason.BAD_SIGNATURE),
        ("namespace-git", MESSAGE, Reason.BAD_SIGNATURE),
        ("ecdsa", MESSAGE, Reason.MALFORMED),
    ],
    ids=["another message", "another namespace", "another kind of key"],
)
def test_others_are_not(name: str, message: bytes, reason: Reason) -> None:
    with pytest.raises(PkiError) as error:
        sshsig.verify((VECTORS / f"{name}.sig").read_bytes(), message)

    assert error.value.kind is reason


def test_a_namespace_cannot_be_changed_afterwards() -> None:
    """The namespace is signed, not only compared."""
    armoured = (VECTORS / "namespace-git.sig").read_bytes().splitlines()
    data = base64.b64decode(b"".join(armoured[1:-1]))
    forged = base64.b64encode(data.replace(b"\0\0\0\3git", b"\0\0\0\x10hepto-operator-1"))

    with pytest.raises(PkiError, match="bad-signature"):
        sshsig.verify(b"\n".join((armoured[0], forged, armoured[-1])), MESSAGE)


def test_openssh_verifies_ours(tmp_path: Path) -> None:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("no ssh-keygen on this machine")
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    allowed = tmp_path / "allowed"
    allowed.write_text(f"me ssh-ed25519 {base64.b64encode(sshsig.blob(public)).decode()}\n")
    (tmp_path / "order.sig").write_bytes(sshsig.make(public, MESSAGE, key.sign))

    command = [program, "-Y", "verify", "-f", str(allowed), "-I", "me", "-n", "hepto-operator-1"]
    result = subprocess.run(
        [*command, "-s", str(tmp_path / "order.sig")], input=MESSAGE, capture_output=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert sshsig.verify((tmp_path / "order.sig").read_bytes(), MESSAGE) == public


def test_what_we_make_has_the_form_of_openssh() -> None:
    parsed = sshsig.parse(SIGNATURE)

    assert sshsig.make(parsed.key, MESSAGE, lambda data: parsed.raw) == SIGNATURE


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_are_a_signature_or_refused(data: bytes, fresh: bool, place: int, byte: int) -> None:
    if not fresh:
        inner = bytearray(base64.b64decode(b"".join(SIGNATURE.splitlines()[1:-1])))
        inner[place % len(inner)] = byte
        data = bytes(inner)
    lines = SIGNATURE.splitlines()
    for armoured in (data, b"\n".join((lines[0], base64.b64encode(data), lines[-1]))):
        try:
            assert sshsig.verify(armoured, MESSAGE) == sshsig.public_key(PUBLIC)
        except PkiError as error:
            assert error.kind in (Reason.MALFORMED, Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-rsa AAAA",
        "ssh-ed25519 !",
        "ssh-ed25519 AAAA",
        PUBLIC[:40],
        "ssh-ed25519 ÄÖ",
        "x " + PUBLIC,
    ],
)
def test_what_is_no_key_is_a_bad_value(text: str) -> None:
    with pytest.raises(BadValue):
        sshsig.public_key(text)
