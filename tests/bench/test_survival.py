"""Disks with a cluster's state on them: whole ones pass, and each kind of loss is seen."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import survival
from bench.survival import Told
from hepto.mesh.driver import load_key
from hepto.node.state import State, dump
from hepto.pki.driver import Pki
from hepto.values import Secret
from init.contract import durable
from init.disks import Format, Mount, Refuse
from tests.pki.example import MASTER, NOW

MIB = 1 << 20


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a master has in its directory."""
    directory = tmp_path_factory.mktemp("data") / MASTER.node
    directory.mkdir()
    pki = Pki(str(directory), MASTER)
    pki.establish(NOW, plausible=True)
    pki.enrol_master(pki.identity(), load_key(str(directory)), NOW)
    pki.keep_keyring((Secret(bytes(32)),))
    durable.write(str(directory / "state.json"), dump(State(clock=5.0)))
    return directory


@pytest.fixture
def directory(original: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", original, tmp_path], check=True)
    return tmp_path / original.name


def files(directory: Path) -> list[str]:
    return [path.relative_to(directory).as_posix() for path in sorted(directory.rglob("*")) if path.is_file()]


def test_everything_that_was_told_is_there(directory: Path) -> None:
    digests = survival.digests(directory)

    assert set(digests) == survival.ONCE
    assert survival.node_state(directory, Told(digests), digests) == []


def test_before_anything_was_told_nothing_is_lost(tmp_path: Path) -> None:
    assert survival.node_state(tmp_path, Told(), {}) == []


def test_a_temporary_file_is_nobodys(directory: Path) -> None:
    (directory / "pki/.ca.pem.77.tmp").write_bytes(b"")

    assert survival.node_state(directory, Told(), {}) == []


@pytest.mark.parametrize("name", sorted(survival.ONCE))
def test_what_is_lost_is_named(directory: Path, name: str) -> None:
    digests = survival.digests(directory)
    (directory / name).unlink()

    assert f"{name} is lost" in survival.node_state(directory, Told(digests), digests)
    assert f"{name} is lost" not in survival.node_state(directory, Told(), digests)


def test_what_is_made_twice_is_named(directory: Path) -> None:
    digests = survival.digests(directory)
    (directory / "identity/identity.pem").unlink()
    Pki(str(directory), MASTER).identity()

    assert survival.node_state(directory, Told(), digests) == ["identity/identity.pem was made twice"]
    assert "identity/identity.pem is another one" in survival.node_state(directory, Told(digests), digests)


def empty(data: bytes) -> bytes:
    return b""


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def zeroed(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize("damage", [empty, half, zeroed])
def test_every_file_that_is_not_whole_is_seen(directory: Path, damage: Callable[[bytes], bytes]) -> None:
    for name in files(directory):
        path = directory / name
        data = path.read_bytes()
        path.write_bytes(damage(data))
        if (name, damage) != ("identity/wireguard.key", zeroed):  # any 32 bytes are a key
            assert any(name in sentence for sentence in survival.node_state(directory, Told(), {})), name
        path.write_bytes(data)

    assert survival.node_state(directory, Told(), {}) == []


def test_what_a_join_left_that_was_cut_off_is_of_no_importance(directory: Path) -> None:
    (directory / "pki/ca.crt").unlink()
    (directory / "pki/grant").write_bytes(b"of a cluster that is not known yet")

    assert survival.node_state(directory, Told(), {}) == []


@pytest.mark.parametrize("number", [1, 9, 12345])
def test_a_number_is_whole_or_none(tmp_path: Path, number: int) -> None:
    path = tmp_path / "durable"
    assert survival.number(path) == 0
    path.write_bytes(survival.content(number))
    assert survival.number(path) == number
    for bad in (b"", survival.content(number)[:-1], bytes(4096), survival.content(number) + b"\0", b"\n"):
        path.write_bytes(bad)
        assert survival.number(path) is None


def test_a_counter_may_be_ahead_of_what_was_told_and_not_behind() -> None:
    told = Told(numbers={"durable": 7})

    assert survival.lost("durable", 8, told) == survival.lost("durable", 7, told) == ""
    assert survival.lost("durable", 6, told) == "durable is at 6, and 7 had been told"
    assert survival.lost("durable", None, Told()) == "durable is neither before nor after"
    assert survival.lost("naive", 0, told) == ""


def disk(path: Path, content: Path | None = None, size: int = 32 * MIB) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    if content is not None:
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "hepto-data", "-d", content, path], check=True)
    return path


def test_a_boot_would_format_a_blank_disk_and_mount_one_of_ours(tmp_path: Path, original: Path) -> None:
    assert isinstance(survival.decision(disk(tmp_path / "blank")), Format)
    made = disk(tmp_path / "made", original.parent)
    assert isinstance(survival.decision(made), Mount)
    with made.open("r+b") as file:
        os.pwrite(file.fileno(), bytes(1024), 1024)
    assert isinstance(survival.decision(made), Refuse)


def test_files_come_out_of_a_disk_as_they_are(tmp_path: Path, original: Path) -> None:
    made = disk(tmp_path / "disk", original.parent)
    target = tmp_path / "out" / original.name
    target.mkdir(parents=True)

    assert survival.file_system(made) == []
    survival.extract(
        made, tuple(f"/{original.name}/{name}" for name in ("identity", "pki", "state.json", "none")), target
    )

    assert {name: (target / name).read_bytes() for name in files(target)} == {
        name: (original / name).read_bytes() for name in files(original)
    }


def test_a_file_system_that_needs_a_person_is_named(tmp_path: Path, original: Path) -> None:
    made = disk(tmp_path / "disk", original.parent)
    subprocess.run(["debugfs", "-w", "-R", "set_inode_field <2> mode 0100644", made], check=True, capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", "set_super_value state 0", made], check=True, capture_output=True)

    (sentence,) = survival.file_system(made)

    assert sentence.startswith("e2fsck -p ends with 4")
