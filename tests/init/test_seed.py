"""The random seed: used once, replaced at once."""

from pathlib import Path

from init import seed


def test_the_old_seed_is_mixed_in_and_a_new_one_left(tmp_path: Path) -> None:
    file, device = tmp_path / "random-seed", tmp_path / "urandom"
    device.write_bytes(b"")
    file.write_bytes(b"s" * seed.SIZE)

    assert seed.stir(str(file), str(device))

    assert device.read_bytes() == b"s" * seed.SIZE
    assert len(file.read_bytes()) == seed.SIZE
    assert file.read_bytes() != b"s" * seed.SIZE
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_first_boot_has_none_and_leaves_one(tmp_path: Path) -> None:
    file, device = tmp_path / "random-seed", tmp_path / "urandom"

    assert not seed.stir(str(file), str(device))

    assert len(file.read_bytes()) == seed.SIZE
    assert not device.exists()


def test_two_boots_never_leave_the_same(tmp_path: Path) -> None:
    file, device = tmp_path / "random-seed", tmp_path / "urandom"
    seed.stir(str(file), str(device))
    first = file.read_bytes()

    seed.stir(str(file), str(device))

    assert file.read_bytes() != first
