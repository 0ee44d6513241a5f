"""Whether a device answers, on loop devices: good ones, read-only ones, and one that has lost its end."""

import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from hepto.edge import blockdevice

pytestmark = pytest.mark.kernel

SIZE = 16 * 1024 * 1024


@pytest.fixture
def loop(tmp_path: Path) -> Generator[Callable[..., str]]:
    made: list[str] = []

    def make(*options: str, content: bytes = b"") -> str:
        image = tmp_path / f"disk{len(made)}"
        image.write_bytes(content)
        os.truncate(image, SIZE)
        done = subprocess.run(
            ["losetup", "--find", "--show", *options, image], capture_output=True, text=True, check=True
        )
        made.append(done.stdout.strip())
        return made[-1].removeprefix("/dev/")

    yield make
    for device in made:
        subprocess.run(["losetup", "--detach", device], check=True)


def test_a_disk_answers_and_keeps_what_is_on_it(loop: Callable[..., str], tmp_path: Path) -> None:
    content = os.urandom(8192)
    name = loop(content=content)

    assert blockdevice.answers(name)
    assert Path("/dev", name).read_bytes()[:8192] == content


def test_a_file_system_that_is_mounted_is_not_disturbed(loop: Callable[..., str], tmp_path: Path) -> None:
    name = loop()
    subprocess.run(["mkfs.ext4", "-q", f"/dev/{name}"], check=True)
    (place := tmp_path / "mounted").mkdir()
    subprocess.run(["mount", f"/dev/{name}", place], check=True)
    try:
        (place / "file").write_text("here")
        assert blockdevice.device_of(str(place)) == name
        assert blockdevice.errors(name) == 0
        assert blockdevice.answers(name)
        assert (place / "file").read_text() == "here"
    finally:
        subprocess.run(["umount", place], check=True)
    assert subprocess.run(["e2fsck", "-fn", f"/dev/{name}"], capture_output=True, check=False).returncode == 0


def test_a_disk_that_cannot_be_written_does_not_answer(loop: Callable[..., str]) -> None:
    assert not blockdevice.answers(loop("--read-only"))


def test_a_disk_with_large_sectors_is_only_read(loop: Callable[..., str]) -> None:
    assert blockdevice.answers(loop("--sector-size", "4096"))
