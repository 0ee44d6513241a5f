"""A root's bytes follow from its content alone (marker `image`); builds from one archive are one (marker `long`)."""

import faulthandler
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from hepto.edge.cache import cache_directory
from hepto.edge.debian import ensure_mkosi
from image.locked import opened
from image.mkosi import Builder
from image.output import make_erofs
from tests.image.conftest import REPOSITORY, Tools
from tests.image.difference import first_difference_of_images

pytestmark = pytest.mark.image

BUILT = 1_760_000_000
FILES = {"usr/bin/a": b"a" * 100_000, "usr/bin/b": os.urandom(5000), "etc/c": b"", "usr/lib/d": b"d"}
SOURCES = ("hepto", "init", "image", "mkosi.conf", "pyproject.toml")


def make(root: Path, names: Iterable[str], time: float) -> None:
    """The files, in this order, with this time."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(FILES[name])
        os.utime(root / name, (time, time))
    (root / "usr/bin/link").symlink_to("a")


def test_neither_order_nor_times_nor_the_environment_enter_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_directory()
    tools = Builder(cache, ensure_mkosi(cache)).tools()
    make(tmp_path / "one", sorted(FILES), BUILT - 1000.25)
    make(tmp_path / "two", sorted(FILES, reverse=True), BUILT + 1000.75)

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    make_erofs(tools, tmp_path / "one", tmp_path / "one.erofs", BUILT)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(BUILT))
    make_erofs(tools, tmp_path / "two", tmp_path / "two.erofs", BUILT)

    assert (tmp_path / "one.erofs").read_bytes() == (tmp_path / "two.erofs").read_bytes()


def build(source: Path, cache: Path, *options: str | Path, umask: int = 0o022, network: bool = True) -> None:
    """`hepto build` of the tree in `source`."""
    names = ("SOURCE_DATE_EPOCH", "HEPTO_CACHE", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"HEPTO_CACHE": str(cache), "PYTHONPATH": str(source)}
    without = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    words = [*([] if network else without), sys.executable, "-m", "hepto", "build", *options]
    subprocess.run(words, cwd=source, env=environment, check=True, umask=umask)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_builds_from_one_archive_are_the_same_bits_without_network_wherever_and_whenever(
    tmp_path: Path, tools: Tools
) -> None:
    # Three builds in one test: they outlast the time after which pytest would print all stacks.
    faulthandler.cancel_dump_traceback_later()
    archive = tmp_path / "archive of a build"
    sources = [tmp_path / name / "source" for name in ("zero", "one", "two/deeper")]
    for source in sources:
        source.mkdir(parents=True)
        for part in SOURCES:
            copy = shutil.copytree if (REPOSITORY / part).is_dir() else shutil.copyfile
            copy(REPOSITORY / part, source / part)
    zero, *others = (source.parent / "image" for source in sources)

    build(sources[0], cache_directory(), "--output", zero, "--archive", archive)
    for source, umask in ((sources[1], 0o022), (sources[2], 0o077)):
        words = ("--output", source.parent / "image", "--locked", archive)
        build(source, source.parent / "cache", *words, umask=umask, network=False)

    for other in others:
        assert first_difference_of_images(zero, other, tools, tmp_path / "unpacked") is None, other
    assert opened(archive).built > BUILT
