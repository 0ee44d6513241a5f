"""The built image, listed and unpacked once for all tests of the image tier."""

import mmap
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hepto.edge.cache import cache_directory, remove_tree
from hepto.edge.debian import ensure_mkosi
from image.erofs import File, Image
from image.mkosi import Builder
from image.spec import LIBRARIES

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def image() -> Path:
    """The directory of the image that was built last."""
    directory = REPOSITORY / "build/image"
    assert (directory / "manifest.json").exists(), "build it with: make image"
    return directory


@pytest.fixture(scope="session")
def files(image: Path) -> dict[str, File]:
    """Path -> what the root has there."""
    return files_of(image)


def files_of(image: Path) -> dict[str, File]:
    """The same of the image in that directory."""
    with (image / "root.erofs").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return {entry.path: entry for entry in Image(data).files()}


class Tools:
    """Programs of the tree of tools, run with that tree's libraries."""

    def __init__(self) -> None:
        cache = cache_directory()
        self.tree = Builder(cache, ensure_mkosi(cache)).tools()

    def run(self, program: str, *words: str | Path, input: bytes | None = None) -> bytes:  # noqa: A002 (subprocess' own name)
        libraries = self.tree / LIBRARIES
        linker: list[str | Path] = [
            libraries / "ld-linux-x86-64.so.2",
            "--library-path",
            libraries,
            self.tree / "usr/bin" / program,
        ]
        return subprocess.run([*linker, *words], input=input, capture_output=True, check=True).stdout


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()


@pytest.fixture(scope="session")
def root(image: Path, tools: Tools) -> Iterator[Path]:
    """The root, unpacked from root.erofs."""
    directory = Path(tempfile.mkdtemp(prefix="hepto-image-"))
    try:
        tools.run("fsck.erofs", f"--extract={directory / 'root'}", "--overwrite", image / "root.erofs")
        yield directory / "root"
    finally:
        remove_tree(directory)
        shutil.rmtree(directory, ignore_errors=True)
