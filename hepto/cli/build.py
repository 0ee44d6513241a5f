"""`hepto build`: makes the image that nodes boot, or says what is in it."""

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from hepto.cli.output import print_json, print_table
from hepto.cli.progress import Progress
from hepto.edge.cache import cache_directory
from hepto.errors import ExitCode, UserError

if TYPE_CHECKING:
    from image.account import Row

DEFAULT_OUTPUT = Path("build/image")

EXAMPLES = """
\b
Examples:
  hepto build                      into build/image; ten seconds when only Python code changed
  hepto build --output /srv/image  somewhere else
  hepto build --stack DIR          with ready Kubernetes binaries, instead of compiling them (8 minutes)
  hepto build --archive FOLDER     keep the packages that it takes; later, without network, the same again:
  hepto build --locked FOLDER
  hepto build --report             what takes how much space in the image built last
  hepto build --report --svg image.svg   the same as a picture
  hepto build --licences           what is in it under which licence, from its sbom.spdx.json
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
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Keep all packages and binaries that the build takes in this folder, with their hashes.",
)
@click.option(
    "--locked",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Take everything from such a folder, checked by hash, without network: the same image, bit for bit.",
)
@click.option("--report", is_flag=True, help="Print what is in each byte of the built image; build nothing.")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw the --report as a treemap."
)
@click.option("--licences", is_flag=True, help="Print the licences of what is in the built image; build nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def command(
    kind: str,
    output: Path,
    stack: Path | None,
    archive: Path | None,
    locked: Path | None,
    report: bool,
    svg: Path | None,
    licences: bool,
    as_json: bool,
) -> None:
    """Build the image: Debian packages, upstream Kubernetes and hepto as one read-only root, with kernel and stage 0.

    What is slow is kept in the cache ($HEPTO_CACHE, else ~/.cache/hepto) as long as its inputs are the same.
    """
    del kind  # there is one so far
    if svg and not report:
        raise UserError("--svg draws the report", "give --report --svg FILE", ExitCode.USAGE)
    if report:
        _report(output.absolute(), as_json, svg)
        return
    if licences:
        _licences(output.absolute(), as_json)
        return
    if locked and (stack or archive):
        other = "--stack" if stack else "--archive"
        what = f"--locked takes everything from a folder, so {other} has no meaning beside it"
        raise UserError(what, "leave one of them out", ExitCode.USAGE)
    folders = (path.absolute() if path else None for path in (stack, locked, archive))
    with _ended_tidily():
        _build(output.absolute(), *folders, as_json=as_json)


def _build(output: Path, stack: Path | None, locked: Path | None, archive: Path | None, *, as_json: bool) -> None:
    from image.build import Request, build

    progress = Progress()
    directory = build(Request(output, cache_directory(), stack, locked, archive), progress)
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir())}
    if as_json:
        steps = {step.name: round(step.seconds, 2) for step in progress.steps}
        print_json({"output": str(directory), "bytes": sizes, "seconds": steps})
        return
    total = sum(sizes[name] for name in ("vmlinuz", "initrd.cpio", "root.erofs"))
    print(f"{directory}: {total / 1e6:.0f} MB in {progress.seconds:.1f} s", file=sys.stderr)


def _report(output: Path, as_json: bool, svg: Path | None) -> None:
    from image.report import report

    rows = report(output)
    if svg:
        _draw(rows[:-1], svg)
        return
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    print_table(
        ("file", "part", "package", "piece", "version", "installed KB", "in the file KB"),
        [(*row[:5], f"{row.installed / 1000:.0f}", f"{row.compressed / 1000:.0f}") for row in rows],
    )


def _draw(rows: "Sequence[Row]", target: Path) -> None:
    from image.picture import draw

    try:
        target.write_text(draw(rows))
    except ValueError as error:
        raise UserError(f"there is nothing to draw: {error}", "build the image again with: hepto build") from None
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}", "name another file with --svg") from None


def _licences(output: Path, as_json: bool) -> None:
    from image.report import licence_list

    rows = licence_list(output)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    print_table(("component", "version", "licence"), rows)
