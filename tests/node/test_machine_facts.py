import hashlib
from pathlib import Path

import pytest

from hepto.node.machine_facts import Image, image, images_digest, memory_bytes


def test_the_image_says_when_it_was_built(tmp_path: Path) -> None:
    path = tmp_path / "image.json"
    path.write_text('{"version": "0.1.0", "built": 1700000000, "stack": {}}')

    assert image(str(path)) == Image("0.1.0", 1_700_000_000.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "1", "built": "then"}', "\0"])
def test_a_machine_that_is_no_image_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "image.json"
    path.write_text(text)

    assert image(str(path)) == image(str(tmp_path / "none")) == Image()


def test_the_digest_of_the_images_is_that_of_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "images.tar"
    path.write_bytes(b"archive")

    assert images_digest(str(path)) == hashlib.sha256(b"archive").hexdigest()
    assert images_digest(str(tmp_path / "none")) == ""


def test_memory_is_bytes(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:        2014388 kB\nMemFree:          100 kB\n")

    assert memory_bytes(str(path)) == 2014388 * 1024
    assert memory_bytes(str(tmp_path / "none")) is None
