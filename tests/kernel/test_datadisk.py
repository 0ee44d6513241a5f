"""The data disk with the real programs, on a loop device that a made-up sysfs calls vdb."""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from init import blockdevices, datadisk
from init.boot import Finished, PhaseFailed, Run, Wait, Waiting, World
from init.contract import paths
from tests.kernel.namespace import alone, mounts

pytestmark = pytest.mark.kernel

SIZE = 64 * 1024 * 1024


def machine(root: str, device: str) -> World:
    """A root whose only disk is `device`."""
    place = Path(root, "sys/devices/vdb")
    place.mkdir(parents=True)
    (place / "size").write_text(str(SIZE // 512))
    (place / "ro").write_text("0")
    (listing := Path(root, "sys/class/block")).mkdir(parents=True)
    (listing / "vdb").symlink_to(place)
    Path(root, "dev").mkdir()
    os.mknod(f"{root}/dev/vdb", 0o600 | 0o060000, os.stat(device).st_rdev)
    Path(root + paths.DATA).mkdir(parents=True)
    return World(root)


def run(world: World) -> list[str]:
    """Do the phase for real, but for the waiting; the programs that were run. Stops where a person is asked."""
    task: Generator[Any, Any, None] = datadisk.task(world, lambda: False)
    seen: list[str] = []
    clock = [0.0]
    world.now = lambda: clock[0]
    result: Any = None
    while True:
        try:
            step = task.send(result)
        except StopIteration:
            return seen
        match step:
            case Run(argv=()):
                result = in_child(step)
            case Run(argv=argv):
                seen.append(argv[0].rsplit("/", 1)[-1])
                done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                result = Finished(done.returncode, done.stdout)
            case Waiting(wait):
                assert wait is not None
                return [*seen, wait.what]
            case Wait(seconds):
                clock[0] += seconds
                result = type("Nothing", (), {"events": (), "lost": False})()


def in_child(step: Run) -> Finished:
    """As the spawner does it: a forked child whose output is captured."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        try:
            assert step.call is not None
            step.call()
            os._exit(0)
        except OSError as error:
            os.write(1, repr(error).encode())
        finally:
            os._exit(1)
    os.close(writer)
    output = b"".join(iter(lambda: os.read(reader, 65536), b""))
    os.close(reader)
    return Finished(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output)


@pytest.fixture
def loop(tmp_path: Path) -> Generator[str]:
    """A loop device on a file of zeros."""
    (image := tmp_path / "disk").write_bytes(b"")
    os.truncate(image, SIZE)
    device = subprocess.run(
        ["losetup", "--find", "--show", image], capture_output=True, text=True, check=True
    ).stdout.strip()
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


def boot(root: str, device: str, *expected: str) -> None:
    world = machine(root, device)

    assert tuple(run(world)) == expected

    assert world.state["data"] == "disk"
    place, kind, _ = mounts(root + paths.DATA)[0]
    assert (place, kind) == (root + paths.DATA, "ext4")
    assert os.stat(root + paths.DATA).st_mode & 0o777 == 0o700
    marker = Path(root + paths.DATA, "marker")
    if "mkfs.ext4" in expected:
        marker.write_text("here")
    assert marker.read_text() == "here"


def test_a_blank_disk_is_formatted_once_and_kept(tmp_path: Path, loop: str) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()

    alone(boot, tmp_path / "first", loop, "blkid", "mkfs.ext4")
    alone(boot, tmp_path / "second", loop, "e2fsck")


def test_a_disk_that_was_half_formatted_when_power_was_cut_is_formatted_again(tmp_path: Path, loop: str) -> None:
    blockdevices.mark_unfinished(loop, SIZE, unfinished=True)
    subprocess.run(["mkfs.ext4", "-q", "-E", "nodiscard", "-L", paths.DATA_LABEL, loop], check=True)
    with open(loop, "r+b") as file:
        file.seek(1024)
        file.write(bytes(1024))  # mkfs writes the superblock last
    (tmp_path / "root").mkdir()

    alone(boot, tmp_path / "root", loop, "blkid", "mkfs.ext4")

    assert blockdevices.UNFINISHED not in Path(loop).read_bytes()


def test_without_the_mark_such_a_disk_is_left_as_it_is(tmp_path: Path, loop: str) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-L", paths.DATA_LABEL, loop], check=True)
    with open(loop, "r+b") as file:
        file.seek(1024)
        file.write(bytes(1024))
    (tmp_path / "root").mkdir()

    alone(refused, tmp_path / "root", loop, "unknown content")


def refused(root: str, device: str, says: str) -> None:
    world = machine(root, device)
    before = Path(device).read_bytes()

    words = run(world)

    assert words[0] == "blkid"
    assert says in words[-1]
    assert world.state == {}
    assert mounts(root + paths.DATA) == []
    assert Path(device).read_bytes() == before


def test_a_disk_with_a_partition_table_is_left_as_it_is(tmp_path: Path, loop: str) -> None:
    sector = bytearray(512)
    sector[446:462] = bytes([0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0])
    sector[510:] = b"\x55\xaa"
    with open(loop, "r+b") as file:
        file.write(sector)
    (tmp_path / "root").mkdir()

    alone(refused, tmp_path / "root", loop, "partition table dos")


def test_a_disk_with_swap_space_is_left_as_it_is(tmp_path: Path, loop: str) -> None:
    subprocess.run(["mkswap", loop], check=True, capture_output=True)
    (tmp_path / "root").mkdir()

    alone(refused, tmp_path / "root", loop, "swap")


def damaged(root: str, device: str) -> None:
    with pytest.raises(PhaseFailed, match="e2fsck could not repair") as caught:
        run(machine(root, device))

    assert "exit code 4" in caught.value.what
    assert mounts(root + paths.DATA) == []


def test_a_file_system_beyond_repair_is_not_mounted(tmp_path: Path, loop: str) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-L", paths.DATA_LABEL, loop], check=True)
    # The root directory loses its type: what e2fsck asks a person about, and -p must not decide.
    subprocess.run(["debugfs", "-w", "-R", "set_inode_field <2> mode 0100644", loop], check=True, capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", "set_super_value state 0", loop], check=True, capture_output=True)
    (tmp_path / "root").mkdir()

    alone(damaged, tmp_path / "root", loop)
