"""An operator's key is taken as `ssh-keygen` prints it, or as its middle word."""

import pytest

from hepto.openssh import ed25519_line

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"  # GitHub's own, published


@pytest.mark.parametrize("text", [BLOB, f"ssh-ed25519 {BLOB}", f"ssh-ed25519 {BLOB} a b", f"  ssh-ed25519  {BLOB} "])
def test_type_and_comment_may_be_there_or_not(text: str) -> None:
    assert ed25519_line(text) == f"ssh-ed25519 {BLOB}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ssh-ed25519",
        f"ssh-rsa {BLOB}",
        BLOB[:-4],
        BLOB + "AAAA",
        f"{BLOB} comment",
        "AAAAB3NzaC1yc2EAAAADAQABAAAB",
    ],
)
def test_what_is_no_such_key_is_none(text: str) -> None:
    assert ed25519_line(text) is None
