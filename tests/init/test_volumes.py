"""What is taken from the ESP and from volumes: files in, credentials out; and what the phase does with them."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init import linux, volumes
from init.boot import Finished, Run, World
from init.credentials import MAX_VALUE
from init.volumes import Volume
from tests.fakes.blockdevices import MIB, boot_disk, device

FAT = bytes(0x52) + b"FAT32   " + bytes(1024)
ISO = bytes(0x8001) + b"CD001" + bytes(1024)


def names(directory: Path, source: str) -> list[str]:
    return [one.name for one in volumes.gather(str(directory), source).credentials]


def fill(directory: Path, *paths: str) -> Path:
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(b"#hepto\nhepto.name=one\n")
    return directory


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("esp", ["hepto.ca", "hepto.conf"]),
        ("volume", ["hepto.key", "hepto.conf"]),
        ("cidata", ["hepto.key", "hepto.conf", "user-data"]),
    ],
)
def test_each_kind_of_volume_has_its_places(tmp_path: Path, source: str, expected: list[str]) -> None:
    fill(
        tmp_path, "hepto.key.cred", "hepto.conf", "user-data", "meta-data", "loader/credentials/hepto.ca.cred", "x.txt"
    )

    assert names(tmp_path, source) == expected


def test_values_are_the_files_bytes(tmp_path: Path) -> None:
    (tmp_path / "hepto.key.cred").write_bytes(b"\x00\xffsecret\n")

    (found,) = volumes.gather(str(tmp_path), "volume").credentials

    assert found.value == b"\x00\xffsecret\n"
    assert "secret" not in repr(found)


def test_user_data_of_another_program_is_said_and_left(tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("#cloud-config\nhostname: x\n")

    found = volumes.gather(str(tmp_path), "cidata")

    assert found.credentials == ()
    assert found.mistakes == ("cidata: user-data is not for hepto, for its first line does not begin with #hepto",)


def test_what_is_no_file_or_too_large_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hepto.key.cred")
    with (tmp_path / "hepto.conf").open("wb") as file:
        file.truncate(MAX_VALUE + 1)

    found = volumes.gather(str(tmp_path), "volume")

    assert found.credentials == ()
    assert [text.partition(" cannot")[0] for text in found.mistakes] == ["volume: hepto.key.cred", "volume: hepto.conf"]


def test_only_fat_and_iso_9660_are_worth_asking_about() -> None:
    assert volumes.may_hold(FAT)
    assert volumes.may_hold(ISO)
    assert not volumes.may_hold(bytes(0x9000))
    assert not volumes.may_hold(b"")


def test_labels_are_read_from_blkid_whatever_their_case_and_only_the_first_of_a_source_counts() -> None:
    output = (
        b"DEVNAME=/dev/vdb\nLABEL=CIDATA\nTYPE=vfat\n\nDEVNAME=/dev/vdc1\nLABEL=hepto-conf\nTYPE=vfat\n\n"
        b"DEVNAME=/dev/vdd\nLABEL=HEPTO-CONF\nTYPE=iso9660\n\nDEVNAME=/dev/vde\nLABEL=cidata\nTYPE=ext4\n\n"
        b"DEVNAME=/dev/vdf\nLABEL=photos\nTYPE=vfat\n"
    )

    assert volumes.parse_blkid(output) == (
        Volume("volume", "/dev/vdc1", "vfat"),
        Volume("cidata", "/dev/vdb", "vfat"),
    )


@given(st.binary())
def test_any_output_of_blkid_is_survived(output: bytes) -> None:
    assert isinstance(volumes.parse_blkid(output), tuple)


class Machine:
    """Runs the phase; `disks` are directories that are mounted by the name of the device."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, disks: dict[str, Path], blkid: bytes = b""):
        self.log: list[str] = []
        self.mounts: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self._root, self._disks, self._blkid = root, disks, blkid
        self.world = World(str(root), log=self.log.append)
        (root / "run/hepto").mkdir(parents=True)
        (root / "dev").mkdir(exist_ok=True)
        (root / "sys/class/block").mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(linux, "mount", self.mount)
        monkeypatch.setattr(linux, "umount2", self.unmount)
        monkeypatch.setattr(os, "execv", lambda _program, words: self.asked.extend(words[5:]))

    def mount(self, source: str, target: str, kind: str, flags: int, _data: str) -> None:
        assert flags & linux.MS_RDONLY
        name = source.rpartition("/")[2]
        if name not in self._disks:
            raise OSError(117, "Structure needs cleaning", target)
        self.mounts.append((name, kind))
        os.rmdir(target)
        os.symlink(self._disks[name], target)

    def unmount(self, target: str, _flags: int) -> None:
        self.mounts.append(("", target.rpartition("/")[2]))
        os.unlink(target)

    def run(self) -> "Machine":
        task: Generator[Any, Any, None] = volumes.task(self.world)
        result: Any = None
        while True:
            try:
                step = task.send(result)
            except StopIteration:
                return self
            assert isinstance(step, Run)
            assert step.call is not None
            result = self._call(step.call)

    def _call(self, function: Any) -> Finished:
        if "task" in function.__qualname__:
            function()
            return Finished(0 if self._blkid else 2, self._blkid)
        reader, writer = os.pipe()
        before = os.dup(1)
        os.dup2(writer, 1)
        code = 0
        try:
            function()
        except OSError as error:
            os.write(1, str(error).encode())
            code = 1
        finally:
            os.dup2(before, 1)
            os.close(before)
            os.close(writer)
        with os.fdopen(reader, "rb") as file:
            return Finished(code, file.read())


def test_the_esp_of_the_root_s_disk_is_read_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot_disk(tmp_path, 100 * MIB, MIB)
    files = fill(tmp_path / "files", "hepto.conf", "loader/credentials/hepto.key.cred")

    machine = Machine(tmp_path, monkeypatch, {"vda1": files}).run()

    assert machine.mounts == [("vda1", "vfat")]
    assert (tmp_path / "run/hepto/esp").exists()
    assert sorted(path.name for path in (tmp_path / "run/credentials/esp").iterdir()) == ["hepto.conf", "hepto.key"]
    assert (tmp_path / "run/credentials/esp/hepto.key").stat().st_mode & 0o777 == 0o400
    assert machine.log == ["esp (/dev/vda1): hepto.key, hepto.conf"]


def test_a_labelled_volume_is_read_and_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(tmp_path, "vdb", FAT)
    device(tmp_path, "vdc", b"else")
    files = fill(tmp_path / "files", "user-data")
    blkid = b"DEVNAME=/dev/vdb\nLABEL=cidata\nTYPE=vfat\n"

    machine = Machine(tmp_path, monkeypatch, {"vdb": files}, blkid).run()

    assert machine.asked == [str(tmp_path / "dev/vdb")]
    assert machine.mounts == [("vdb", "vfat"), ("", "cidata")]
    assert (tmp_path / "run/credentials/cidata/user-data").read_bytes().startswith(b"#hepto")


def test_a_damaged_volume_is_said_and_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot_disk(tmp_path, 100 * MIB, MIB)

    machine = Machine(tmp_path, monkeypatch, {}).run()

    assert len(machine.log) == 1
    assert machine.log[0].startswith("esp: /dev/vda1 cannot be read: ")
    assert "Structure needs cleaning" in machine.log[0]
