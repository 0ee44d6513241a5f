"""Runs every benchmark that an unattended machine can run, then writes docs/benchmarks.md: `make bench`.

One that fails is named at the end and stops no other. With --page nothing is run, and the page is written of what
build/bench holds.
"""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from bench import page, plot, report

DOCS = Path(__file__).parent.parent / "docs"
SUBJECT = "hepto"


class Bench(NamedTuple):
    """A module of bench/ and the words for its command line."""

    name: str
    words: tuple[str, ...] = ()


ALL = (
    Bench("boot"),
    Bench("ready"),
    Bench("supervision"),
    Bench("orphans"),
    Bench("memory"),
    Bench("size"),
    Bench("mesh"),
    Bench("cluster"),
    Bench("powercut"),
    Bench("disks"),
    Bench("faults", ("--every-of-agent", "8")),
    Bench("certificates"),
    Bench("agent_members"),
    Bench("gossip_detection"),
    Bench("gossip_wan"),
    Bench("gossip_sim"),
)


def section(name: str) -> page.Section:
    """Of a benchmark, with its picture written if it has one."""
    about, result = importlib.import_module(f"bench.{name}").__doc__ or name, report.load(name)
    drawn = plot.draw(result.rows, SUBJECT) if result is not None else ""
    picture = DOCS / page.PICTURES / f"{name}.svg"
    if drawn:
        picture.parent.mkdir(exist_ok=True)
        picture.write_text(drawn)
    else:
        picture.unlink(missing_ok=True)
    return page.Section(name, about, result, bool(drawn))


def main(arguments: list[str]) -> int:
    """1 if a benchmark has failed."""
    names = [bench.name for bench in ALL]
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--page", action="store_true", help="run none, only write the page")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all if none is given: {', '.join(names)}")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(names):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    failed = []
    for bench in ALL:
        if not given.page and (bench.name in given.names or not given.names):
            print(f"== {bench.name}", flush=True)
            if subprocess.run([sys.executable, "-m", f"bench.{bench.name}", *bench.words], check=False).returncode:
                failed.append(bench.name)
    target = DOCS / "benchmarks.md"
    target.write_text(page.page([section(name) for name in names]))
    print(f"written: {target}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    report.run(main)
