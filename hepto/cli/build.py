"""`hepto build`: makes the image that nodes boot, or says what is in it."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

from hepto.cli.output import print_json, print_table
from hepto.cli.progress import Progress
from hepto.edge.cache import cache_directory

DEFAULT_OUTPUT = Path("build/image")

EXAMPLES = """
\b
Examples:
  hepto build                      into build/image; ten seconds when only Python code changed
  hepto build --output /srv/image  somewhere else
  hepto build --stack DIR          with ready Kubernetes binaries, instead of compiling them (8 minutes)
  hepto build --report             what takes how much space in the image built last
"""


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _ended_tidily() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block like Ctrl-C: children are stopped and half-made directories removed."""
    before = {number: signal.signal(number, _terminated) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command("build", epilog=EXAMPLES)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["netboot"]),
    default="netboot",
    show_default=True,
    help="What to make: netboot is a kernel, an initrd and a root file system.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="The directory that the image goes into.",
)
@click.option(
    "--stack",
    type=click.Path(path_type=Path),
    help="A directory of ready Kubernetes binaries.",
)
@click.option("--report", is_flag=True, help="Print the size of the built image by package; build nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def command(kind: str, output: Path, stack: Path | None, report: bool, as_json: bool) -> None:
    """Build the image: Debian packages, upstream Kubernetes and hepto as one read-only root, with kernel and stage 0.

    What is slow is kept in the cache ($HEPTO_CACHE, else ~/.cache/hepto) as long as its inputs are the same.
    """
    del kind  # there is one so far
    if report:
        _report(output.absolute(), as_json)
        return
    with _ended_tidily():
        _build(output.absolute(), stack.absolute() if stack else None, as_json)


def _build(output: Path, stack: Path | None, as_json: bool) -> None:
    from image.build import Request, build

    progress = Progress()
    directory = build(Request(output, cache_directory(), stack), progress)
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir())}
    if as_json:
        steps = {step.name: round(step.seconds, 2) for step in progress.steps}
        print_json({"output": str(directory), "bytes": sizes, "seconds": steps})
        return
    total = sum(sizes[name] for name in ("vmlinuz", "initrd.cpio", "root.erofs"))
    print(f"{directory}: {total / 1e6:.0f} MB in {progress.seconds:.1f} s", file=sys.stderr)


def _report(output: Path, as_json: bool) -> None:
    from image.report import report

    rows = report(output)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    print_table(
        ("package", "version", "installed KB", "in the image KB"),
        [(row.package, row.version, f"{row.installed / 1000:.0f}", f"{row.compressed / 1000:.0f}") for row in rows],
    )
