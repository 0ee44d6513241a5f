import stat
from pathlib import Path

import pytest

from hepto.mesh.driver import clamp, load_key


def test_the_key_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    key = load_key(str(tmp_path))

    assert load_key(str(tmp_path)) == key
    assert stat.S_IMODE((tmp_path / "identity/wireguard.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


def test_a_damaged_key_is_an_error_and_is_not_replaced(tmp_path: Path) -> None:
    load_key(str(tmp_path))
    path = tmp_path / "identity/wireguard.key"
    path.write_bytes(b"short")

    with pytest.raises(OSError, match="no WireGuard key"):
        load_key(str(tmp_path))
    assert path.read_bytes() == b"short"


def test_a_key_is_clamped_as_the_curve_wants_it() -> None:
    assert clamp(b"\xff" * 32) == b"\xf8" + b"\xff" * 30 + b"\x7f"
    assert clamp(bytes(32)) == bytes(31) + b"\x40"
