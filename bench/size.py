"""P12: what a node fetches before it could gossip, the whole image, and a rebuild after a change to Python code.

    fetched   vmlinuz, initrd and the bytes of the compressed root that the guest's disk has read (read-ahead included)
              until the agent says "ready:" with hepto.debug=no-kube, the milestone of bench/boot.py
    image     vmlinuz, initrd and root, whole
    rebuild   `hepto build` from a copy of this tree in which a line of the agent was changed, everything else in the
              cache; with --cold also from an empty cache (ten minutes, and what Go has cached of its own is used)

MB are 10^6 bytes.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench import guest, report
from bench.report import Row, Target
from hepto.edge.cache import cache_directory
from hepto.edge.command import CommandFailedError, run
from hepto.errors import UserError
from hepto.lab.boot import check_image
from hepto.lab.plan import FILES

LIMIT_SECONDS = 900.0
BUILD_SECONDS = 3600.0
SECTOR = 512  # of /sys/block/*/stat, whatever the disk's own is (Documentation/block/stat.rst)
SECTORS_READ = 2
MEGA = 1e6
SOURCES = ("hepto", "init", "image", "mkosi.conf", "pyproject.toml")
CHANGED = "hepto/node/agent.py"
TARGETS = (
    Target("fetched", "hepto", 30.0, 1.0),
    Target("image", "hepto", 200.0, 1.0),
    Target("rebuild", "hepto", 10.0, 1.0),
)


def sectors_read(stat: str) -> int:
    """The sectors that a disk has read, from /sys/block/NAME/stat."""
    return int(stat.split()[SECTORS_READ])


def fetched(image: Path) -> float:
    """MB that the guest has read of its root at the milestone."""
    options = ("hepto.cluster=bench", "hepto.name=one", "hepto.role=full", "hepto.debug=no-kube,lab")
    machine = guest.Machine(image, options, (("hepto.key", "00" * 32),), memory=1024)
    with guest.boot("size", machine, guest.find_emulator(image)) as running:
        running.wait(r"ready: node ", LIMIT_SECONDS)
        with running.client() as connection:
            stat = connection.read(guest.NODE, "/sys/block/vda/stat").decode()
    return sectors_read(stat) * SECTOR / MEGA


def rebuild(directory: Path, stack: Path | None, cache: Path) -> float:
    """Seconds that `hepto build` takes from a changed copy of this tree."""
    source = directory / "source"
    if not source.exists():
        here = Path(__file__).parents[1]
        for name in SOURCES:
            copy = shutil.copytree if (here / name).is_dir() else shutil.copyfile
            source.mkdir(exist_ok=True)
            copy(here / name, source / name)
    with (source / CHANGED).open("a") as file:
        file.write(f"# {time.monotonic_ns()}\n")
    words = [sys.executable, "-m", "hepto", "build", "--output", str(directory / "image")]
    words += ["--stack", str(stack.absolute())] if stack else []
    environment = {**os.environ, "PYTHONPATH": str(source), "HEPTO_CACHE": str(cache)}
    began = time.monotonic()
    try:
        run(words, environment=environment, directory=directory, timeout=BUILD_SECONDS)
    except CommandFailedError as error:
        raise UserError("hepto build failed", error.output.strip()[-2000:]) from error
    return time.monotonic() - began


def main(arguments: list[str]) -> int:
    """Sizes of the image, one boot, a few builds."""
    parser = argparse.ArgumentParser(prog="bench.size")
    parser.add_argument("--image", type=Path, default=guest.DEFAULT_IMAGE)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stack", type=Path, help="ready binaries, as for `hepto build`")
    parser.add_argument("--cold", action="store_true", help="build from an empty cache too")
    given = parser.parse_args(arguments)
    image = check_image(given.image)
    sizes = {name: (image / name).stat().st_size / MEGA for name in FILES}
    read = fetched(image)
    before = sizes["vmlinuz"] + sizes["initrd.cpio"]
    rows = [Row(name, "size", size, "MB") for name, size in sizes.items()]
    rows += [Row("root.erofs", "read", read, "MB"), Row("hepto", "fetched", before + read, "MB")]
    rows.append(Row("hepto", "image", sum(sizes.values()), "MB"))
    targets = list(TARGETS)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if given.cold:
            rows.append(Row("cold build", "rebuild", rebuild(directory, given.stack, directory / "cache"), "s"))
            targets.append(Target("rebuild", "hepto", "cold build", 0.1))
        rebuild(directory, given.stack, cache_directory())  # the first one may have to fill the cache
        for _ in range(given.runs):
            rows.append(Row("hepto", "rebuild", rebuild(directory, given.stack, cache_directory()), "s"))
            report.save("size", rows)
    report.finish("size", rows, targets)
    return 0


if __name__ == "__main__":
    report.run(main)
